"""The names that the objects of a release refer to, and whether they are among those that it may refer to.

A name belongs to whoever made the object, so a release refers to what it brings, and to what the pipeline's
configuration lists in ``uses``. Deliberately absent: names that Kubernetes has for everybody (the account ``default``, the cluster's
CA).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infraaudit_domain.errors import excerpt
from infraaudit_domain.kubernetes.fields import MISSHAPEN, items, mapping, values

_EVERYBODYS = frozenset({"ConfigMap/kube-root-ca.crt", "ServiceAccount/default", "ServiceAccount/"})
_OF_PODS = (
    ("Secret", "containers[*].env[*].valueFrom.secretKeyRef.name"),
    ("ConfigMap", "containers[*].env[*].valueFrom.configMapKeyRef.name"),
    ("Secret", "containers[*].envFrom[*].secretRef.name"),
    ("ConfigMap", "containers[*].envFrom[*].configMapRef.name"),
    ("Secret", "volumes[*].secret.secretName"),
    ("ConfigMap", "volumes[*].configMap.name"),
    ("Secret", "volumes[*].projected.sources[*].secret.name"),
    ("ConfigMap", "volumes[*].projected.sources[*].configMap.name"),
    ("PersistentVolumeClaim", "volumes[*].persistentVolumeClaim.claimName"),
    ("Secret", "imagePullSecrets[*].name"),
    ("ServiceAccount", "serviceAccountName"),
    ("ServiceAccount", "serviceAccount"),
)
_OF_OBJECTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Ingress": (
        ("Secret", "spec.tls[*].secretName"),
        ("Service", "spec.defaultBackend.service.name"),
        ("Service", "spec.rules[*].http.paths[*].backend.service.name"),
        ("Service", "spec.backend.serviceName"),
        ("Service", "spec.rules[*].http.paths[*].backend.serviceName"),
    ),
    "ServiceAccount": (("Secret", "secrets[*].name"), ("Secret", "imagePullSecrets[*].name")),
    "StatefulSet": (("Service", "spec.serviceName"),),
}
_RESOURCES = ("spec.defaultBackend.resource", "spec.rules[*].http.paths[*].backend.resource")


def pod_references(spec: Mapping[str, Any], where: str) -> Iterator[tuple[str, str, str]]:
    """The (place, kind, name) of everything that a pod refers to by name."""
    for kind, path in _OF_PODS:
        for place, name in values(spec, path, where):
            if name is not MISSHAPEN:
                yield place, kind, str(name)


def object_references(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The same for an object, its pods apart."""
    kind = str(document.get("kind"))
    for target, path in _OF_OBJECTS.get(kind, ()):
        for place, name in values(document, path):
            if name is not MISSHAPEN:
                yield place, target, str(name)
    if kind == "HorizontalPodAutoscaler":
        for path in ("spec.scaleTargetRef", "spec.metrics[*].object.describedObject"):
            yield from _of_any_kind(document, path)
    if kind == "Ingress":
        for path in _RESOURCES:
            yield from _of_any_kind(document, path)


def _of_any_kind(document: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    for place, target in values(document, path):
        found = mapping(target)
        yield place, str(found.get("kind")), str(found.get("name"))


def reference_faults(
    references: Iterator[tuple[str, str, str]], brought: frozenset[str], uses: frozenset[str]
) -> Iterator[str]:
    """Every reference to what the release neither brings nor may use."""
    for place, kind, name in references:
        target = f"{kind}/{name}"
        if target not in brought and target not in uses and target not in _EVERYBODYS:
            shown, field = excerpt(name, 80), place.rpartition(".")[2]
            yield (
                f"{place}: {field} {shown} is not one that these manifests bring (to refer to another "
                f"{excerpt(kind, 40)}, list {excerpt(target, 120)} in `uses` of the project)"
            )


def selectors(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The (place, matchLabels) by which an object chooses pods, where it chooses some by labels."""
    spec = mapping(document.get("spec"))
    if document.get("kind") == "Service" and mapping(spec.get("selector")):
        yield "spec.selector", spec["selector"]
    field = {"NetworkPolicy": "podSelector", "PodDisruptionBudget": "selector"}.get(str(document.get("kind")))
    if field and (items(mapping(spec.get(field)).get("matchExpressions")) or mapping(spec.get(field))):
        yield f"spec.{field}", mapping(mapping(spec[field]).get("matchLabels"))


def selector_faults(document: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Every selector that chooses no pod of the release; ``pods`` are the labels of its pods."""
    for place, wanted in selectors(document):
        if not any(chooses(wanted, labels) for labels in pods):
            shown = ", ".join(f"{key}={value}" for key, value in list(wanted.items())[:5])
            yield (
                f"{place} {excerpt(shown, 200)} chooses no pod of a workload that these manifests bring, so it could choose "
                "others (to allow it: manifests.allow: [allPods] in the gate policy)"
            )


def chooses(wanted: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Whether a pod has all of these labels."""
    return all(labels.get(key) == value for key, value in wanted.items())
