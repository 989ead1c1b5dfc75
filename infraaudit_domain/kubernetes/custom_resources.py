"""Kinds that a release brings itself: their definitions come first, and are waited for.

Deliberately absent: the schemas of custom resources, which the cluster checks.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from infraaudit_domain.kubernetes.fields import items, mapping
from infraaudit_domain.kubernetes.rollout import Judgement

DEFINITION = "CustomResourceDefinition"


def defined_kinds(documents: Iterable[Mapping[str, Any]]) -> frozenset[tuple[str, str]]:
    """The (group, kind) of every definition among some documents."""
    specs = [mapping(document.get("spec")) for document in documents if document.get("kind") == DEFINITION]
    return frozenset((str(spec.get("group")), str(mapping(spec.get("names")).get("kind"))) for spec in specs)


def is_among(document: Mapping[str, Any], kinds: frozenset[tuple[str, str]]) -> bool:
    """Whether a document is of one of these kinds."""
    return (str(document.get("apiVersion")).rpartition("/")[0], str(document.get("kind"))) in kinds


def judge_definition(found: Mapping[str, Any] | None, name: str) -> Judgement:
    """A definition has to be established; one whose names are taken never is."""
    status = mapping((found or {}).get("status"))
    known = {str(one.get("type")): one for one in map(mapping, items(status.get("conditions")))}
    if known.get("Established", {}).get("status") == "True":
        return Judgement("available", f"{DEFINITION} {name} is established")
    names = known.get("NamesAccepted", {})
    if names.get("status") == "False":
        return Judgement("failed", f"{DEFINITION} {name} is not accepted: {names.get('message')}")
    return Judgement("progressing", f"{DEFINITION} {name} is not established yet")
