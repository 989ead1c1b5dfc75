"""What a commit's manifests may contain: kinds, namespace, and nothing that reaches the node, others or their objects.

A commit is untrusted, so every shape is expected: what is no mapping where one belongs is refused, never a crash.
The rules are tables: of pods (pod_security.py), of other objects (object_rules.py), of names (references.py).
Deliberately absent: what a rendered manifest looks like (manifests), reading the policy (resources/configuration/gate.py).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.errors import excerpt
from infraaudit_domain.kubernetes import object_rules, pod_security
from infraaudit_domain.kubernetes.fields import MISSHAPEN, items, mapping, values
from infraaudit_domain.kubernetes.object_rules import claim_faults, object_faults
from infraaudit_domain.kubernetes.phases import phase_faults
from infraaudit_domain.kubernetes.pod_security import (
    BASELINE_CAPABILITIES,
    RESTRICTED_CAPABILITIES,
    RESTRICTED_VOLUMES,
    annotation_faults,
    how_to_allow,
    pod_faults,
    refusal,
)
from infraaudit_domain.kubernetes.references import object_references, pod_references, reference_faults, selector_faults

Document = dict[str, Any]

KINDS = frozenset(
    {
        "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "ConfigMap", "Secret", "Service", "ServiceAccount",
        "PersistentVolumeClaim", "networking.k8s.io/Ingress", "networking.k8s.io/NetworkPolicy",
        "autoscaling/HorizontalPodAutoscaler", "policy/PodDisruptionBudget", "batch/Job", "batch/CronJob",
    }
)  # fmt: skip
RISKS = pod_security.ALLOWABLE | object_rules.ALLOWABLE | {"capabilities", "volumes", "otherImages"}
"""The words that the policy's ``allow`` may hold, one for each control."""
WITH_PODS = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "ReplicationController"}
)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_TOKENS = ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token")
_DEPTH = 12


@dataclass(frozen=True, slots=True)
class ManifestPolicy:
    """What is allowed. The defaults reach neither the node nor anything outside the namespace."""

    kinds: frozenset[str] = KINDS
    """``group/Kind``, and just ``Kind`` for the core group."""
    pod_security: str = "baseline"
    """The level of the Pod Security Standards: privileged, baseline or restricted."""
    volumes: frozenset[str] = frozenset(
        {"configMap", "secret", "emptyDir", "projected", "downwardAPI", "persistentVolumeClaim", "ephemeral"}
    )
    capabilities: frozenset[str] = BASELINE_CAPABILITIES
    """Those that may be added; under restricted, none but NET_BIND_SERVICE."""
    allow: frozenset[str] = frozenset()
    """Those of RISKS that are accepted."""


def refusals(
    documents: Sequence[tuple[str, object]],
    namespace: str,
    policy: ManifestPolicy,
    uses: frozenset[str] = frozenset(),
) -> Iterator[str]:
    """Every reason to refuse the (path, document) pairs, with the path and the object's name.

    ``uses`` are the objects (``Kind/name``) that they may refer to besides their own.
    """
    brought = frozenset(f"{_kind(document)}/{_name(document)}" for _, document in documents)
    # Not a Job's: its template cannot be changed, so its pods do not bear the project's label.
    pods = [labels for _, document in documents if _kind(document) != "Job" for labels in _labels_of_pods(document)]
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
        faults = (
            *_of_object(document, namespace, policy),
            *_of_pods(document, policy),
            *object_faults(document, policy.allow),
            *phase_faults(document),
            *reference_faults(_references(document), brought, uses),
            *(selector_faults(document, pods) if "allPods" not in policy.allow else ()),
        )
        yield from (f"{where}: {fault}" for fault in faults)


def pod_spec(document: Mapping[str, Any]) -> Document | None:
    """The pod spec that an object's own field for one holds, a CronJob's deeper one included, or None."""
    found = _template(document).get("spec")
    return found if isinstance(found, dict) else None


def pod_specs(document: Mapping[str, Any]) -> list[tuple[str, Document, Document]]:
    """The (place, metadata, spec) of every pod that an object holds, wherever it hides: what has containers is one."""
    return list(_pods_below(document, "", mapping(document.get("metadata")), 0))


def containers_of(spec: Mapping[str, Any]) -> list[Document]:
    """Every container of a pod spec, those that run before and those added for debugging included."""
    found = [one for name in ("initContainers", "containers", "ephemeralContainers") for one in items(spec.get(name))]
    return [container for container in found if isinstance(container, dict)]


def _template(document: Mapping[str, Any]) -> Document:
    spec = mapping(document.get("spec"))
    if document.get("kind") == "CronJob":
        spec = mapping(mapping(spec.get("jobTemplate")).get("spec"))
    return mapping(spec.get("template"))


def _pods_below(value: object, where: str, metadata: Document, depth: int) -> Iterator[tuple[str, Document, Document]]:
    if isinstance(value, list) and depth < _DEPTH:
        for index, item in enumerate(value[:1000]):
            yield from _pods_below(item, f"{where}[{index}]", {}, depth + 1)
        return
    document = mapping(value)
    if {"containers", "initContainers", "ephemeralContainers"} & document.keys():
        yield where, metadata, document
        return
    beside = mapping(document.get("metadata"))
    for name, inner in document.items() if depth < _DEPTH else ():
        if isinstance(inner, dict | list):
            yield from _pods_below(inner, f"{where}.{name}" if where else str(name), beside, depth + 1)


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


def _of_object(document: Document, namespace: str, policy: ManifestPolicy) -> Iterator[str]:
    kind, metadata = document["kind"], document["metadata"]
    group = document["apiVersion"].rpartition("/")[0]
    if (f"{group}/{kind}" if group else kind) not in policy.kinds:
        yield f"kind {excerpt(kind, 80)} of {excerpt(document['apiVersion'], 80)} is not among those that a commit may bring"
    if kind == "Namespace" and metadata["name"] != namespace:
        yield f"is another namespace than the project's, {namespace}"
    if metadata.get("namespace", namespace) != namespace:
        yield f"names the namespace {excerpt(str(metadata['namespace']), 80)}; the project's is {namespace}"
    if kind == "Secret" and str(document.get("type", "")).startswith(_TOKENS):
        yield "asks for a ServiceAccount's token, which is not allowed"


def _of_pods(document: Document, policy: ManifestPolicy) -> Iterator[str]:
    kind = document["kind"]
    if kind in WITH_PODS and pod_spec(document) is None:
        yield "has no spec.template.spec"
    if kind in WITH_PODS:
        metadata = _template(document).get("metadata")
        of_it = (mapping(metadata).get(name) for name in ("labels", "annotations"))
        if not _is_mapping(metadata) or not all(map(_is_mapping, of_it)):
            yield "spec.template.metadata, its labels and its annotations must be mappings"
    for where, metadata, spec in pod_specs(document):
        yield from _of_pod(where, spec, policy)
        annotations = mapping(metadata.get("annotations"))
        place = f"{where.removesuffix('spec')}metadata.annotations"
        yield from annotation_faults(annotations, place, policy.pod_security, policy.allow)


def _of_pod(where: str, spec: Document, policy: ManifestPolicy) -> Iterator[str]:
    for name in ("initContainers", "containers", "ephemeralContainers"):
        if spec.get(name) is not None and not all(isinstance(one, dict) for one in items(spec[name]) or [None]):
            yield f"{where}.{name} must be a list of containers"
            return
    yield from pod_faults(spec, where, policy.pod_security, policy.allow)
    yield from claim_faults(spec, where, policy.allow)
    is_restricted = policy.pod_security == "restricted"
    if "volumes" not in policy.allow:
        allowed = policy.volumes & RESTRICTED_VOLUMES if is_restricted else policy.volumes
        yield from _of_volumes(where, spec, allowed)
    if "capabilities" not in policy.allow and policy.pod_security != "privileged":
        allowed = policy.capabilities & RESTRICTED_CAPABILITIES if is_restricted else policy.capabilities
        for place, added in values(spec, "containers[*].securityContext.capabilities.add[*]", where):
            if added is MISSHAPEN or not isinstance(added, str) or added not in allowed:
                yield refusal(place, added, "Capabilities", policy.pod_security, "capabilities")


def _of_volumes(where: str, spec: Document, allowed: frozenset[str]) -> Iterator[str]:
    for place, volume in values(spec, "volumes[*]", where):
        for source in sorted(set(map(str, mapping(volume))) - allowed - {"name"}):
            name, control = mapping(volume).get("name"), "HostPath Volumes" if source == "hostPath" else "Volume Types"
            yield (
                f"{place}: volume {excerpt(str(name), 80)} uses {excerpt(source, 80)}, which is not allowed ({control} of "
                f"the Pod Security Standards; to allow it: manifests.volumes, or {how_to_allow('volumes')})"
            )


def _references(document: Document) -> Iterator[tuple[str, str, str]]:
    yield from object_references(document)
    for where, _, spec in pod_specs(document):
        yield from pod_references(spec, where)


def _labels_of_pods(document: object) -> Iterator[Mapping[str, Any]]:
    for _, metadata, _ in pod_specs(mapping(document)):
        yield mapping(metadata.get("labels"))


def _kind(document: object) -> str:
    return str(mapping(document).get("kind"))


def _name(document: object) -> str:
    return str(mapping(mapping(document).get("metadata")).get("name"))


def _is_mapping(value: object) -> bool:
    return value is None or isinstance(value, dict)
