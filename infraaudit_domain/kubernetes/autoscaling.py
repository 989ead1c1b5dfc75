"""What an autoscaler owns is left to it: the replicas of what it scales.

Deliberately absent: asking a cluster for its autoscalers.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from infraaudit_domain.kubernetes.fields import items, mapping

Document = dict[str, Any]


def scaled_by(autoscalers: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """What these HorizontalPodAutoscalers scale, as ``Kind/name``."""
    targets = (mapping(mapping(one.get("spec")).get("scaleTargetRef")) for one in autoscalers)
    return frozenset(f"{target.get('kind')}/{target.get('name')}" for target in targets)


def left_alone(document: Document, live: Mapping[str, Any] | None) -> Document:
    """A workload without its own wish for replicas, where it is there and an autoscaler has one.

    Where nobody else owns the number, it is applied as it is: a field that its only owner no longer applies falls back
    to 1.
    """
    if live is None:
        return document
    changed = copy.deepcopy(document)
    changed["spec"].pop("replicas", None)
    metadata = mapping(live.get("metadata"))
    running = mapping(live.get("spec")).get("replicas")
    if running is not None and not _is_owned_by_another(items(metadata.get("managedFields"))):
        changed["spec"]["replicas"] = running
    return changed


def _is_owned_by_another(managed: Iterable[object]) -> bool:
    entries = [mapping(entry) for entry in managed]
    others = (mapping(entry.get("fieldsV1")) for entry in entries if entry.get("operation") != "Apply")
    return any("f:replicas" in mapping(fields.get("f:spec")) for fields in others)
