"""Read a namespace: statuses, events, logs, addresses. Changes nothing."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from infraaudit_domain.errors import excerpt
from infraaudit_domain.kubernetes.manifests import Document
from infraaudit_domain.kubernetes.ownership import ENVIRONMENT
from infraaudit_domain.kubernetes.rollout import JobStatus, PodStatus, WorkloadStatus
from resources.targets.cluster.connection import REQUEST_SECONDS, Cluster, translated
from resources.targets.cluster.logs import raw_log

_PROJECT_LABEL = "infraaudit/project"
_COMMIT = "infraaudit/commit"
_END_BYTES = 64 * 1024
_KINDS = ("deployment", "stateful_set", "daemon_set")


def status_of(cluster: Cluster, namespace: str, document: Document, sha: str) -> tuple[WorkloadStatus, list[PodStatus]]:
    """A workload's status, and the container states of the commit's own pods."""
    from kubernetes import client

    kind = {"Deployment": "deployment", "StatefulSet": "stateful_set", "DaemonSet": "daemon_set"}[document["kind"]]
    name = document["metadata"]["name"]
    with translated(f"reading {document['kind']}/{name}"):
        read = getattr(client.AppsV1Api(cluster.client), f"read_namespaced_{kind}")
        found = read(name, namespace, _request_timeout=REQUEST_SECONDS)
    pods = [pod for pod in pods_of(cluster, namespace, _selector(found)) if commit_of(pod) == sha and not _leaving(pod)]
    return _workload(found), [state for pod in pods for state in _pod_states(pod)]


def status_of_job(cluster: Cluster, namespace: str, name: str) -> tuple[JobStatus, list[PodStatus]]:
    """A Job's status, and the container states of its pods."""
    from kubernetes import client
    from kubernetes.client.exceptions import ApiException

    with translated(f"reading Job/{name}"):
        try:
            job = client.BatchV1Api(cluster.client).read_namespaced_job(
                name, namespace, _request_timeout=REQUEST_SECONDS
            )
        except ApiException as error:
            if error.status == 404:
                return JobStatus(name, gone=True), []
            raise
    pods = pods_of(cluster, namespace, f"controller-uid={job.metadata.uid}")
    return _job(job), [state for pod in pods for state in _pod_states(pod)]


def definition(cluster: Cluster, name: str) -> dict[str, Any] | None:
    """The definition of a kind; None where there is none."""
    from kubernetes import client
    from kubernetes.client.exceptions import ApiException

    api = client.ApiextensionsV1Api(cluster.client)
    with translated(f"reading CustomResourceDefinition/{name}"):
        try:
            found = api.read_custom_resource_definition(name, _request_timeout=REQUEST_SECONDS)
        except ApiException as error:
            if error.status == 404:
                return None
            raise
    return dict(cluster.client.sanitize_for_serialization(found))


def _job(job: Any) -> JobStatus:
    status = job.status
    true = {condition.type: condition for condition in status.conditions or () if condition.status == "True"}
    failed = true.get("Failed") or true.get("FailureTarget")
    why = ": ".join(filter(None, (failed.reason, failed.message))) or "it gives no reason" if failed else ""
    return JobStatus(
        name=job.metadata.name,
        complete="Complete" in true or "SuccessCriteriaMet" in true,
        failed=excerpt(why, 300),
        suspended=bool(getattr(job.spec, "suspend", False)),
        active=status.active or 0,
        succeeded=status.succeeded or 0,
        completions=job.spec.completions or 1,
    )


def workloads_of(cluster: Cluster, namespace: str, project: str, environment: str) -> list[WorkloadStatus]:
    """The workloads that carry the marks of a project's environment."""
    from kubernetes import client

    apps, selector = client.AppsV1Api(cluster.client), f"{_PROJECT_LABEL}={project}"
    with translated(f"listing the workloads of {project}"):
        lists = [
            getattr(apps, f"list_namespaced_{kind}")(
                namespace, label_selector=selector, _request_timeout=REQUEST_SECONDS
            )
            for kind in _KINDS
        ]
    return [_workload(one) for listed in lists for one in listed.items if is_of(one, environment)]


def services_of(cluster: Cluster, namespace: str, project: str, environment: str) -> list[Document]:
    """The Services that carry the marks of a project's environment, by kind and name."""
    from kubernetes import client

    with translated(f"listing the services of {project}"):
        found = client.CoreV1Api(cluster.client).list_namespaced_service(
            namespace, label_selector=f"{_PROJECT_LABEL}={project}", _request_timeout=REQUEST_SECONDS
        )
    own = (service for service in found.items if is_of(service, environment))
    return [{"kind": "Service", "metadata": {"name": service.metadata.name}} for service in own]


def service_address(cluster: Cluster, namespace: str, name: str) -> tuple[str | None, int]:
    """A Service's cluster IP and first port."""
    from kubernetes import client

    with translated(f"reading Service/{name}"):
        core = client.CoreV1Api(cluster.client)
        spec = core.read_namespaced_service(name, namespace, _request_timeout=REQUEST_SECONDS).spec
    address = spec.cluster_ip if spec.cluster_ip not in (None, "", "None") else None
    return address, spec.ports[0].port if spec.ports else 80


def failure_details(
    cluster: Cluster, namespace: str, documents: Sequence[Document], sha: str
) -> tuple[tuple[str, str], ...]:
    """The warning events and the last log lines of the commit's pods, and of its Jobs'."""
    from kubernetes import client

    core = client.CoreV1Api(cluster.client)
    details: list[tuple[str, str]] = []
    with translated("reading why the rollout failed"):
        listed = core.list_namespaced_pod(namespace, _request_timeout=REQUEST_SECONDS)
        jobs = {document["metadata"]["name"] for document in documents if document["kind"] == "Job"}
        pods = [
            pod for pod in listed.items if commit_of(pod) == sha or (pod.metadata.labels or {}).get("job-name") in jobs
        ]
        for pod in pods[:3]:
            events = core.list_namespaced_event(
                namespace, field_selector=f"involvedObject.name={pod.metadata.name}", _request_timeout=REQUEST_SECONDS
            )
            messages = dict.fromkeys(excerpt(e.message or "", 300) for e in events.items if e.type == "Warning")
            if messages:
                details.append((f"events of {pod.metadata.name}", "\n".join(messages)))
            for status in pod.status.container_statuses or ():
                lines = raw_log(
                    core,
                    namespace,
                    pod.metadata.name,
                    status.name,
                    status.restart_count > 0,
                    tail_lines=15,
                    limit_bytes=_END_BYTES,
                )
                if lines:
                    details.append((f"log of {pod.metadata.name}/{status.name}", excerpt(lines, 1500)))
    return tuple(details)


def pods_of(cluster: Cluster, namespace: str, selector: str) -> Iterable[Any]:
    """The pods that a label selector finds."""
    from kubernetes import client

    with translated("listing pods"):
        listed = client.CoreV1Api(cluster.client).list_namespaced_pod(
            namespace, label_selector=selector, _request_timeout=REQUEST_SECONDS
        )
    return list(listed.items)


def _selector(workload: Any) -> str:
    return ",".join(f"{name}={value}" for name, value in (workload.spec.selector.match_labels or {}).items())


def is_of(found: Any, environment: str) -> bool:
    """Whether an object of a project is of an environment; what names none is of each."""
    return bool((found.metadata.annotations or {}).get(ENVIRONMENT, environment) == environment)


def commit_of(pod: Any) -> str | None:
    """The commit that a pod runs."""
    found = (pod.metadata.annotations or {}).get(_COMMIT)
    return str(found) if found else None


def _leaving(pod: Any) -> bool:
    return pod.metadata.deletion_timestamp is not None


def _workload(found: Any) -> WorkloadStatus:
    status, desired = found.status, getattr(found.spec, "replicas", None)
    if desired is None:
        desired = getattr(status, "desired_number_scheduled", None) or 0
    conditions = {c.type: c for c in status.conditions or ()}
    late, refused = conditions.get("Progressing"), conditions.get("ReplicaFailure")
    is_late = late is not None and late.reason == "ProgressDeadlineExceeded"
    is_refused = refused is not None and refused.status == "True"
    strategy = getattr(found.spec, "update_strategy", None)
    return WorkloadStatus(
        name=found.metadata.name,
        generation=found.metadata.generation or 0,
        observed_generation=status.observed_generation or 0,
        desired=desired,
        updated=_count(status, "updated_replicas", "updated_number_scheduled"),
        available=_available(status),
        total=_count(status, "replicas", "current_number_scheduled"),
        deadline_exceeded=excerpt(late.message or "late", 300) if late and is_late else "",
        replica_failure=excerpt(refused.message or "refused", 300) if refused and is_refused else "",
        strategy=getattr(strategy, "type", None) or "RollingUpdate",
        partition=getattr(getattr(strategy, "rolling_update", None), "partition", None) or 0,
        paused=bool(getattr(found.spec, "paused", False)),
        deadline_since=str(late.last_update_time) if late and is_late else "",
        failure_since=str(refused.last_update_time) if refused and is_refused else "",
    )


def _available(status: Any) -> int:
    # A StatefulSet reports availability only since Kubernetes 1.22; before, readiness is the nearest there is.
    # The other kinds omit the field at 0, and readiness would then count pods that became ready too recently.
    if type(status).__name__ == "V1StatefulSetStatus" and status.available_replicas is None:
        return status.ready_replicas or 0
    return _count(status, "available_replicas", "number_available")


def _count(status: Any, *names: str) -> int:
    return next((int(value) for name in names if (value := getattr(status, name, None)) is not None), 0)


def _pod_states(pod: Any) -> Iterator[PodStatus]:
    for condition in pod.status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False" and condition.reason == "Unschedulable":
            waited = (datetime.now(UTC) - (condition.last_transition_time or datetime.now(UTC))).total_seconds()
            message = excerpt(condition.message or "no node fits", 300)
            yield PodStatus(
                pod.metadata.name, "", unschedulable=message, unschedulable_seconds=waited, uid=pod.metadata.uid
            )
    for status in (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())):
        waiting, last = status.state.waiting, status.last_state.terminated
        yield PodStatus(
            pod.metadata.name,
            status.name,
            waiting_reason=(waiting.reason or "") if waiting else "",
            waiting_message=excerpt((waiting.message or "") if waiting else "", 300),
            last_exit=_last_exit(last) if last else "",
            uid=pod.metadata.uid,
            restarts=status.restart_count or 0,
        )


def _last_exit(ended: Any) -> str:
    why = f" ({ended.reason})" if ended.reason and ended.reason not in ("Error", "Completed") else ""
    return f"exit code {ended.exit_code}{why}"
