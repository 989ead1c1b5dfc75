"""What a commit's manifests may contain: kinds, namespace, and nothing that reaches the node or other accounts.

A commit is untrusted, so every shape is expected: what is no mapping where one belongs is refused, never a crash.
Deliberately absent: what a rendered manifest looks like (manifests), reading the policy (resources/configuration/gate.py).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.errors import excerpt

Document = dict[str, Any]
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

KINDS = frozenset(
    {
        "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "ConfigMap", "Secret", "Service", "ServiceAccount",
        "PersistentVolumeClaim", "networking.k8s.io/Ingress", "networking.k8s.io/NetworkPolicy",
        "autoscaling/HorizontalPodAutoscaler", "policy/PodDisruptionBudget", "batch/Job", "batch/CronJob",
    }
)  # fmt: skip
RISKS = frozenset(
    {
        "hostNetwork", "hostPID", "hostIPC", "hostPort", "hostProcess", "privileged", "procMount", "sysctls",
        "externalIPs",
    }
)  # fmt: skip
"""What reaches beyond a pod; hostPath is among the volumes."""
WITH_PODS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"})


@dataclass(frozen=True, slots=True)
class ManifestPolicy:
    """What is allowed. The defaults reach neither the node nor anything outside the namespace."""

    kinds: frozenset[str] = KINDS
    """``group/Kind``, and just ``Kind`` for the core group."""
    volumes: frozenset[str] = frozenset(
        {"configMap", "secret", "emptyDir", "projected", "downwardAPI", "persistentVolumeClaim", "ephemeral"}
    )
    capabilities: frozenset[str] = frozenset({"NET_BIND_SERVICE"})
    allow: frozenset[str] = frozenset()
    """Those of RISKS that are accepted."""


def refusals(documents: Sequence[tuple[str, object]], namespace: str, policy: ManifestPolicy) -> Iterator[str]:
    """Every reason to refuse the (path, document) pairs, with the path and the object's name."""
    accounts = {"default", *(_name(document) for _, document in documents if _kind(document) == "ServiceAccount")}
    seen: set[tuple[str, str]] = set()
    for path, document in documents:
        fault = _no_object(document)
        if fault or not isinstance(document, dict):
            yield f"{path}: {fault}"
            continue
        where = f"{path}: {document['kind']}/{_name(document)}"
        key = (document["kind"], _name(document))
        if key in seen:
            yield f"{where}: is there twice"
        seen.add(key)
        yield from (f"{where}: {fault}" for fault in _of_object(document, namespace, accounts, policy))


def pod_spec(document: Mapping[str, Any]) -> Document | None:
    """The pod spec that an object holds, a CronJob's deeper one included, or None."""
    spec = _mapping(document.get("spec"))
    if document.get("kind") == "CronJob":
        spec = _mapping(_mapping(spec.get("jobTemplate")).get("spec"))
    found = _mapping(spec.get("template")).get("spec")
    return found if isinstance(found, dict) else None


def containers_of(spec: Mapping[str, Any]) -> list[Document]:
    """Every container of a pod spec, those that run before and those added for debugging included."""
    found = [one for name in ("initContainers", "containers", "ephemeralContainers") for one in _list(spec.get(name))]
    return [container for container in found if isinstance(container, dict)]


def _no_object(document: object) -> str:
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        return "is no Kubernetes object (apiVersion, kind and metadata.name are needed)"
    texts = (document.get("apiVersion"), document.get("kind"), document["metadata"].get("name"))
    if not all(isinstance(value, str) and value for value in texts):
        return "apiVersion, kind and metadata.name must be texts"
    if not _NAME.fullmatch(document["metadata"]["name"]):
        return f"metadata.name {excerpt(document['metadata']['name'], 80)!r} is none that an object can have"
    odd = [name for name in ("labels", "annotations") if not _is_mapping(document["metadata"].get(name))]
    return f"metadata.{odd[0]} must be a mapping" if odd else ""


def _of_object(document: Document, namespace: str, accounts: set[str], policy: ManifestPolicy) -> Iterator[str]:
    kind, metadata = document["kind"], document["metadata"]
    group = document["apiVersion"].rpartition("/")[0]
    if (f"{group}/{kind}" if group else kind) not in policy.kinds:
        yield f"kind {kind} of {document['apiVersion']} is not among those that a commit may bring"
    if kind == "Namespace" and metadata["name"] != namespace:
        yield f"is another namespace than the project's, {namespace}"
    if metadata.get("namespace", namespace) != namespace:
        yield f"names the namespace {metadata['namespace']}; the project's is {namespace}"
    if kind == "Secret" and str(document.get("type", "")).startswith("kubernetes.io/service-account-token"):
        yield "asks for a ServiceAccount's token, which is not allowed"
    if kind == "Service" and _mapping(document.get("spec")).get("externalIPs") and "externalIPs" not in policy.allow:
        yield "externalIPs take other addresses' traffic, which is not allowed"
    spec = pod_spec(document)
    if spec is not None:
        yield from _of_pod(spec, accounts, policy)
        yield from _of_template(document)
    elif kind in WITH_PODS:
        yield "has no spec.template.spec"


def _of_template(document: Document) -> Iterator[str]:
    spec = _mapping(document["spec"])
    metadata = _mapping(spec.get("template")).get("metadata")
    if not _is_mapping(metadata) or not all(_is_mapping(_mapping(metadata).get(n)) for n in ("labels", "annotations")):
        yield "spec.template.metadata, its labels and its annotations must be mappings"


def _of_pod(spec: Document, accounts: set[str], policy: ManifestPolicy) -> Iterator[str]:
    security = _mapping(spec.get("securityContext"))
    asked = {name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)}
    asked |= {"sysctls"} if security.get("sysctls") else set()
    asked |= {"hostProcess"} if _mapping(security.get("windowsOptions")).get("hostProcess") else set()
    for name in sorted(asked - policy.allow):
        yield f"{name} is not allowed"
    for name in ("serviceAccountName", "serviceAccount"):
        if spec.get(name, "default") not in ("", *accounts):
            yield f"{name} {spec[name]} is not one that these manifests bring"
    for volume in _list(spec.get("volumes")):
        for source in sorted(set(map(str, _mapping(volume))) - policy.volumes - {"name"}):
            yield f"volume {_mapping(volume).get('name')} uses {source}, which is not allowed"
    for name in ("initContainers", "containers", "ephemeralContainers"):
        if spec.get(name) is not None and not all(isinstance(one, dict) for one in _list(spec[name]) or [None]):
            yield f"{name} must be a list of containers"
    for container in containers_of(spec):
        yield from (f"container {container.get('name')} {fault}" for fault in _of_container(container, policy))


def _of_container(container: Document, policy: ManifestPolicy) -> Iterator[str]:
    security = _mapping(container.get("securityContext"))
    asked = {
        "privileged": security.get("privileged") or security.get("allowPrivilegeEscalation") is True,
        "procMount": security.get("procMount", "Default") != "Default",
        "hostProcess": _mapping(security.get("windowsOptions")).get("hostProcess"),
        "hostPort": any(_mapping(port).get("hostPort") for port in _list(container.get("ports"))),
    }
    for name in sorted({name for name, wanted in asked.items() if wanted} - policy.allow):
        yield f"asks for {name}, which is not allowed"
    for added in _list(_mapping(security.get("capabilities")).get("add")):
        if not isinstance(added, str) or added not in policy.capabilities:
            yield f"adds the capability {added}, which is not allowed"


def _kind(document: object) -> str:
    return str(_mapping(document).get("kind"))


def _name(document: object) -> str:
    return str(_mapping(_mapping(document).get("metadata")).get("name"))


def _is_mapping(value: object) -> bool:
    return value is None or isinstance(value, dict)


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
