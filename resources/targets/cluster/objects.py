"""The objects of a project in the cluster: which are no longer part of its release, and which pods are in the way.

Deliberately absent: rolling out (target.py), and comparing (drift.py). Nothing without our labels is ever deleted.
"""

from collections.abc import Callable, Sequence
from typing import Any

from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.kubernetes.manifests import Document, identity
from infraaudit_domain.kubernetes.ownership import ENVIRONMENT, PROJECT
from resources.targets.cluster.connection import REQUEST_SECONDS, Cluster, retried, translated
from resources.targets.cluster.observe import commit_of, pods_of

# Volumes hold data: a claim that is no longer in the manifests is left for a person to delete.
_PRUNED = (
    ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("batch/v1", "Job"),
    ("batch/v1", "CronJob"), ("batch/v1beta1", "CronJob"), ("v1", "Service"), ("v1", "ConfigMap"), ("v1", "Secret"),
    ("v1", "ServiceAccount"), ("networking.k8s.io/v1", "NetworkPolicy"), ("networking.k8s.io/v1", "Ingress"),
    ("autoscaling/v1", "HorizontalPodAutoscaler"), ("policy/v1", "PodDisruptionBudget"),
    ("policy/v1beta1", "PodDisruptionBudget"),
)  # fmt: skip


def prune(
    cluster: Cluster, namespace: str, release: Release, documents: Sequence[Document], ask: Callable[[], None]
) -> list[str]:
    """Delete the objects with the project's labels for the environment that are no longer among the documents.

    ``ask`` is called before each of them is deleted, and raises where another machine delivers by now.
    """
    kept = {identity(document) for document in documents}
    api, gone = discovered(cluster), []
    selector = f"app.kubernetes.io/managed-by=infraaudit,{PROJECT}={release.project}"
    for api_version, kind in _PRUNED:
        found = _listed(api, api_version, kind, namespace, selector)
        for item in found:
            name, annotations = item["metadata"]["name"], item["metadata"].get("annotations") or {}
            if annotations.get(ENVIRONMENT) != release.environment or f"{kind}/{name}" in kept:
                continue
            ask()
            _delete(api.resources.get(api_version=api_version, kind=kind), name, namespace, f"pruning {kind}/{name}")
            gone.append(f"{kind}/{name}")
            kept.add(f"{kind}/{name}")  # A cluster that serves two versions of an API lists an object under both.
    return gone


def unblock(cluster: Cluster, namespace: str, document: Document, sha: str, ask: Callable[[], None]) -> str | None:
    """Delete one unready pod of a StatefulSet that is of another commit; returns its name, if any.

    The controller waits for such a pod before it continues, for ever where it crashes, so that not even the earlier
    manifests would be rolled out (a known limit of ordered StatefulSets). The pod's volumes stay. Those that keep their
    revision, below a partition or until somebody deletes them, are left alone.
    """
    strategy = document["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return None
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    labels = document["spec"]["selector"].get("matchLabels") or {}
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    for pod in pods_of(cluster, namespace, selector) if selector else ():
        name = str(pod.metadata.name)
        owners = [owner.name for owner in pod.metadata.owner_references or () if owner.kind == "StatefulSet"]
        ready = any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or ())
        leaving = pod.metadata.deletion_timestamp is not None
        keeps = name.rpartition("-")[2].isdecimal() and int(name.rpartition("-")[2]) < partition
        if document["metadata"]["name"] in owners and commit_of(pod) != sha and not (ready or leaving or keeps):
            ask()
            remove_pod(cluster, namespace, name)
            return name
    return None


def remove_pod(cluster: Cluster, namespace: str, name: str) -> None:
    """Delete a pod, which its controller makes anew; a missing one is no error."""
    from kubernetes import client
    from kubernetes.client.exceptions import ApiException

    with translated(f"deleting pod {name}"):
        try:
            client.CoreV1Api(cluster.client).delete_namespaced_pod(name, namespace, _request_timeout=REQUEST_SECONDS)
        except ApiException as error:
            if error.status != 404:
                raise


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
