"""What an object beside its pods may not ask for: what reaches traffic, storage, nodes or objects of somebody else.

The Pod Security Standards are silent on these. Each rule has a word that allows it. Deliberately absent: which names an
object refers to (references.py), and the pods themselves (pod_security.py).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infraaudit_domain.errors import excerpt
from infraaudit_domain.kubernetes.fields import items, mapping, values
from infraaudit_domain.kubernetes.pod_security import how_to_allow

_MOST_REPLICAS = 100
_OURS = ("infraaudit/project", "infraaudit/environment", "infraaudit/commit")
_INGRESS_CODE = re.compile(
    r"snippet|lua|config-|auth-(?:url|signin|tls|secret|proxy)|proxy-ssl|secret|configmap|custom-headers|mirror-"
    r"|server-alias|middlewares|stream|upstream-vhost|load-balance-subset|rewrite-target-regex",
    re.IGNORECASE,
)
"""Annotations of ingress controllers that are code, or lead to Secrets, hosts and services of others."""
_CLOUD_ROLE = re.compile(r"^(?:eks\.amazonaws\.com|iam\.gke\.io|azure\.workload\.identity|iam\.amazonaws\.com)/")
_OTHER_NETWORK = re.compile(r"^(?:k8s\.v1\.cni\.cncf\.io|k8s\.ovn\.org|multus)/?")
_CLAIM = ("dataSource", "dataSourceRef", "volumeName", "selector")
ALLOWABLE = frozenset(
    {
        "finalizers", "ownerReferences", "NodePort", "LoadBalancer", "ExternalName", "externalIPs", "ingressAnnotations",
        "allPods", "blockedEvictions", "claimSource", "cloudRoles", "otherNetworks", "manualSelector", "manyReplicas",
    }
)  # fmt: skip
_Fault = tuple[str, str]
"""The word that allows it, and what is wrong."""


def object_faults(document: Mapping[str, Any], allow: frozenset[str]) -> Iterator[str]:
    """Every reason to refuse an object for what it asks for, its field first, each with how to allow it."""
    spec = mapping(document.get("spec"))
    rules = _RULES.get(str(document.get("kind")), _no_faults)
    for word, fault in (*_of_metadata(document), *rules(spec), *_of_annotations(document), *_replicas(spec)):
        if word not in allow:
            yield f"{fault} (to allow it: {how_to_allow(word)})"
    yield from _our_names(document, "", 0)


def _of_metadata(document: Mapping[str, Any]) -> Iterator[_Fault]:
    for name in ("finalizers", "ownerReferences"):
        if mapping(document.get("metadata")).get(name):
            yield name, f"metadata.{name} decides whether other objects can be deleted, which is not allowed"


def _no_faults(_: Mapping[str, Any]) -> Iterator[_Fault]:
    yield from ()


def _of_service(spec: Mapping[str, Any]) -> Iterator[_Fault]:
    kind = spec.get("type")
    if kind not in (None, "", "ClusterIP"):
        word = kind if kind in ("NodePort", "LoadBalancer") else "ExternalName"
        yield (
            word,
            f"spec.type {excerpt(str(kind), 40)} is not allowed: it opens the Service beyond the cluster's network",
        )
    if spec.get("externalName"):
        yield "ExternalName", "spec.externalName is not allowed: it is a name for something outside the release"
    if spec.get("externalIPs"):
        yield "externalIPs", "spec.externalIPs take other addresses' traffic, which is not allowed"


def _of_policy(spec: Mapping[str, Any]) -> Iterator[_Fault]:
    if is_everything(spec.get("podSelector")):
        yield "allPods", "spec.podSelector selects all pods of the namespace, which is not allowed"


def _of_budget(spec: Mapping[str, Any]) -> Iterator[_Fault]:
    if is_everything(spec.get("selector")):
        yield "allPods", "spec.selector selects all pods of the namespace, which is not allowed"
    for name, never in (("maxUnavailable", ("0", "0%")), ("minAvailable", ("100%",))):
        if str(spec.get(name)) in never:
            yield "blockedEvictions", f"spec.{name} {spec[name]} lets no node be drained, which is not allowed"


def _of_scaler(spec: Mapping[str, Any]) -> Iterator[_Fault]:
    yield from _too_many("spec.maxReplicas", spec.get("maxReplicas"))


def _of_claim(spec: Mapping[str, Any]) -> Iterator[_Fault]:
    yield from _claim("spec", spec)


def _of_stateful_set(spec: Mapping[str, Any]) -> Iterator[_Fault]:
    for place, claim in values(spec, "volumeClaimTemplates[*].spec", "spec"):
        yield from _claim(place, mapping(claim))


def _of_job(spec: Mapping[str, Any]) -> Iterator[_Fault]:
    if spec.get("manualSelector"):
        yield "manualSelector", "spec.manualSelector takes pods of others for its own, which is not allowed"


_RULES: Mapping[str, Callable[[Mapping[str, Any]], Iterator[_Fault]]] = {
    "Service": _of_service,
    "NetworkPolicy": _of_policy,
    "PodDisruptionBudget": _of_budget,
    "HorizontalPodAutoscaler": _of_scaler,
    "PersistentVolumeClaim": _of_claim,
    "StatefulSet": _of_stateful_set,
    "Job": _of_job,
    "CronJob": lambda spec: _of_job(mapping(mapping(spec.get("jobTemplate")).get("spec"))),
}


def claim_faults(pod: Mapping[str, Any], where: str, allow: frozenset[str]) -> Iterator[str]:
    """The same for the claims that a pod makes for itself."""
    for place, claim in values(pod, "volumes[*].ephemeral.volumeClaimTemplate.spec", where):
        for word, fault in _claim(place, mapping(claim)) if "claimSource" not in allow else ():
            yield f"{fault} (to allow it: {how_to_allow(word)})"


def is_everything(selector: object) -> bool:
    """Whether a selector of labels excludes nothing."""
    found = mapping(selector)
    return not mapping(found.get("matchLabels")) and not items(found.get("matchExpressions"))


def _claim(where: str, spec: Mapping[str, Any]) -> Iterator[_Fault]:
    for name in _CLAIM:
        if spec.get(name):
            yield "claimSource", f"{where}.{name} takes data of another volume, which is not allowed"


def _replicas(spec: Mapping[str, Any]) -> Iterator[_Fault]:
    for name in ("replicas", "parallelism"):
        yield from _too_many(f"spec.{name}", spec.get(name))


def _too_many(place: str, value: object) -> Iterator[_Fault]:
    if isinstance(value, int) and value > _MOST_REPLICAS:
        yield "manyReplicas", f"{place} {value} is not allowed: {_MOST_REPLICAS} are the most"


def _of_annotations(document: Mapping[str, Any]) -> Iterator[_Fault]:
    kind = document.get("kind")
    for key in mapping(mapping(document.get("metadata")).get("annotations")):
        name = excerpt(str(key), 120)
        if kind == "Ingress" and _INGRESS_CODE.search(str(key).rpartition("/")[2]):
            yield (
                "ingressAnnotations",
                f"metadata.annotations[{name}] changes the ingress controller, which is not allowed",
            )
        if kind == "ServiceAccount" and _CLOUD_ROLE.match(str(key)):
            yield "cloudRoles", f"metadata.annotations[{name}] asks for rights in a cloud, which is not allowed"
    for place, key in _deep_annotations(document, "", 0):
        if _OTHER_NETWORK.match(key):
            yield "otherNetworks", f"{place}[{excerpt(key, 120)}] joins another network, which is not allowed"


def _deep_annotations(value: object, where: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, inner in mapping(value).items() if depth < 10 else ():
        place = f"{where}.{name}" if where else str(name)
        if name == "annotations":
            yield from ((place, str(key)) for key in mapping(inner))
        elif isinstance(inner, dict):
            yield from _deep_annotations(inner, place, depth + 1)


def _our_names(value: object, where: str, depth: int) -> Iterator[str]:
    """Labels and annotations by which we know what belongs to whom, on what an object makes: only we set them."""
    for name, inner in mapping(value).items() if depth < 10 else ():
        place = f"{where}.{name}" if where else str(name)
        if name in ("labels", "annotations") and depth > 1:
            for key in _OURS:
                if key in mapping(inner):
                    yield f"{place}[{key}] is not the commit's to set: leave it out"
        elif isinstance(inner, dict):
            yield from _our_names(inner, place, depth + 1)
        elif isinstance(inner, list):
            for index, item in enumerate(inner[:1000]):
                yield from _our_names(item, f"{place}[{index}]", depth + 1)
