"""Ask a cluster, before anything is deployed, for what a deployment will need: the namespace, our rights, other objects.

Nothing is changed. Deliberately absent: objects of kinds that the core API does not have.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from resources.targets.cluster.connection import Cluster, translated

Right = tuple[str, str, str, str]
_SECONDS = 5
_READERS = {
    "Secret": "read_namespaced_secret",
    "ConfigMap": "read_namespaced_config_map",
    "ServiceAccount": "read_namespaced_service_account",
    "PersistentVolumeClaim": "read_namespaced_persistent_volume_claim",
    "Service": "read_namespaced_service",
}
RIGHTS = (
    *(("apps", "deployments", "", verb) for verb in ("create", "patch")),
    *(("", "services", "", verb) for verb in ("create", "patch")),
    *(("coordination.k8s.io", "leases", "", verb) for verb in ("get", "create", "update")),
    ("", "pods", "", "list"),
    ("", "pods", "log", "get"),
)
"""Group, resource, subresource and verb of what nearly every release needs, its lease, and the reasons of a failure."""


class Presence(StrEnum):
    """Whether something is in a cluster."""

    THERE = "there"
    ABSENT = "absent"
    UNKNOWN = "unknown"
    """We may not read it."""


def namespace_presence(cluster: Cluster, namespace: str) -> Presence:
    """Raises ClusterError or RejectedByClusterError."""
    from kubernetes import client

    api = client.CoreV1Api(cluster.client)
    return _presence(
        f"reading the namespace {namespace}", lambda: api.read_namespace(namespace, _request_timeout=_SECONDS)
    )


def object_presence(cluster: Cluster, namespace: str, kind: str, name: str) -> Presence:
    """Raises ClusterError or RejectedByClusterError. Unknown for a kind that is none of the core API."""
    from kubernetes import client

    if kind not in _READERS:
        return Presence.UNKNOWN
    read = getattr(client.CoreV1Api(cluster.client), _READERS[kind])
    return _presence(f"reading {kind}/{name}", lambda: read(name, namespace, _request_timeout=_SECONDS))


def rights_in_words(rights: Iterable[Right] = RIGHTS) -> str:
    """Rights by what they are of: "create, patch deployments; list pods"."""
    verbs: dict[str, list[str]] = {}
    for _, resource, subresource, verb in rights:
        verbs.setdefault(f"{resource}/{subresource}".rstrip("/"), []).append(verb)
    return "; ".join(f"{', '.join(those)} {what}" for what, those in verbs.items())


def lacking_rights(cluster: Cluster, namespace: str) -> tuple[Right, ...]:
    """Those of RIGHTS that we do not have. Raises ClusterError or RejectedByClusterError."""
    from kubernetes import client

    api = client.AuthorizationV1Api(cluster.client)
    lacking = []
    for right in RIGHTS:
        asked = dict(zip(("group", "resource", "subresource", "verb"), right, strict=True)) | {"namespace": namespace}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": asked}}  # fmt: skip
        with translated(f"asking for our rights in the namespace {namespace}"):
            answer = api.create_self_subject_access_review(body, _request_timeout=_SECONDS)
        if not answer.status.allowed:
            lacking.append(right)
    return tuple(lacking)


def _presence(doing: str, read: Callable[[], Any]) -> Presence:
    from kubernetes.client.exceptions import ApiException

    with translated(doing):
        try:
            read()
        except ApiException as error:
            if error.status == 404:
                return Presence.ABSENT
            if error.status == 403:
                return Presence.UNKNOWN
            raise
    return Presence.THERE
