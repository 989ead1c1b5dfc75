"""The objects of a release in the cluster: whether they still equal what was deployed, and which are no longer part of
it.

Deliberately absent: rolling out (target.py). Nothing without our labels is ever deleted.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from infraaudit_domain.kubernetes.drift import Difference, differences
from infraaudit_domain.kubernetes.manifests import Document, identity
from infraaudit_domain.kubernetes.ownership import ENVIRONMENT, PROJECT
from resources.targets.cluster.connection import REQUEST_SECONDS, Cluster, retried, translated
from resources.targets.cluster.observe import commit_of, pods_of
from resources.targets.cluster.owners import checked_name, read_object

# Volumes hold data: a claim that is no longer in the manifests is left for a person to delete.
_PRUNED = (
    ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("batch/v1", "Job"),
    ("batch/v1", "CronJob"), ("batch/v1beta1", "CronJob"), ("v1", "Service"), ("v1", "ConfigMap"), ("v1", "Secret"),
    ("v1", "ServiceAccount"), ("networking.k8s.io/v1", "NetworkPolicy"), ("networking.k8s.io/v1", "Ingress"),
    ("autoscaling/v1", "HorizontalPodAutoscaler"), ("policy/v1", "PodDisruptionBudget"),
    ("policy/v1beta1", "PodDisruptionBudget"),
)  # fmt: skip


def drift_of(cluster: Cluster, namespace: str, documents: Iterable[Document], manager: str) -> list[Difference]:
    """The differences between what runs and the result of applying the documents again."""
    api = discovered(cluster)
    found: list[Difference] = []
    for document in documents:
        name = checked_name(document)
        resource = api.resources.get(api_version=document["apiVersion"], kind=document["kind"])
        running = read_object(api, namespace, document)
        wanted = document
        if running is not None:
            wanted = retried(
                f"comparing {identity(document)}",
                lambda: resource.server_side_apply(  # noqa: B023 - called at once
                    body=document,  # noqa: B023
                    name=name,  # noqa: B023
                    namespace=namespace,
                    field_manager=manager,
                    force_conflicts=True,
                    dry_run="All",
                    _request_timeout=REQUEST_SECONDS,
                ).to_dict(),
            )
        found += differences(identity(document), wanted, running)
    return found


def prune(cluster: Cluster, namespace: str, project: str, environment: str, documents: Sequence[Document]) -> list[str]:
    """Delete the objects with the project's labels for the environment that are no longer among the documents."""
    kept = {identity(document) for document in documents}
    api, gone = discovered(cluster), []
    selector = f"app.kubernetes.io/managed-by=infraaudit,{PROJECT}={project}"
    for api_version, kind in _PRUNED:
        found = _listed(api, api_version, kind, namespace, selector)
        for item in found:
            name, annotations = item["metadata"]["name"], item["metadata"].get("annotations") or {}
            if annotations.get(ENVIRONMENT) != environment or f"{kind}/{name}" in kept:
                continue
            _delete(api.resources.get(api_version=api_version, kind=kind), name, namespace, f"pruning {kind}/{name}")
            gone.append(f"{kind}/{name}")
            kept.add(f"{kind}/{name}")  # A cluster that serves two versions of an API lists an object under both.
    return gone


def unblock(cluster: Cluster, namespace: str, document: Document, sha: str) -> str | None:
    """Delete one unready pod of a StatefulSet that is of another commit; returns its name, if any.

    The controller waits for such a pod before it continues, for ever where it crashes, so that not even the earlier
    manifests would be rolled out (a known limit of ordered StatefulSets). The pod's volumes stay.
    """
    from kubernetes import client

    labels = document["spec"]["selector"].get("matchLabels") or {}
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    for pod in pods_of(cluster, namespace, selector) if selector else ():
        owners = [owner.name for owner in pod.metadata.owner_references or () if owner.kind == "StatefulSet"]
        ready = any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or ())
        leaving = pod.metadata.deletion_timestamp is not None
        if document["metadata"]["name"] in owners and commit_of(pod) != sha and not ready and not leaving:
            name = str(pod.metadata.name)
            with translated(f"deleting pod {name}, which blocks its StatefulSet"):
                client.CoreV1Api(cluster.client).delete_namespaced_pod(
                    name, namespace, _request_timeout=REQUEST_SECONDS
                )
            return name
    return None


def discovered(cluster: Cluster) -> Any:
    """The dynamic client, which knows the kinds that the cluster has."""
    from kubernetes import dynamic

    return retried("discovering the API", lambda: dynamic.DynamicClient(cluster.client))


def _listed(api: Any, api_version: str, kind: str, namespace: str, selector: str) -> list[dict[str, Any]]:
    def read() -> list[dict[str, Any]]:
        from kubernetes.dynamic.exceptions import ResourceNotFoundError

        try:
            resource = api.resources.get(api_version=api_version, kind=kind)
        except ResourceNotFoundError:  # An older cluster lacks some of these.
            return []
        answer = resource.get(namespace=namespace, label_selector=selector, _request_timeout=REQUEST_SECONDS)
        return list(answer.to_dict()["items"])

    return retried(f"listing what {kind} there is", read)


def _delete(resource: Any, name: str, namespace: str, doing: str) -> None:
    from kubernetes.client.exceptions import ApiException

    def delete() -> None:
        try:
            resource.delete(
                name=name,
                namespace=namespace,
                body={"propagationPolicy": "Background"},
                _request_timeout=REQUEST_SECONDS,
            )
        except ApiException as error:
            if error.status != 404:
                raise

    retried(doing, delete)
