"""In which order the objects of a release are applied: hooks before and after, waves between them.

``infraaudit.io/hook`` on a Job says when it runs: ``pre-deploy`` (a migration), ``post-deploy`` (a smoke test), or
``rollback`` (only when the release is taken back). ``infraaudit.io/wave`` on any object is a number; a wave is applied
once that before it is healthy. Deliberately absent: applying and waiting.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infraaudit_domain.errors import excerpt
from infraaudit_domain.kubernetes.fields import mapping

Document = dict[str, Any]

DEFINITION = "CustomResourceDefinition"
HOOK, WAVE = "infraaudit.io/hook", "infraaudit.io/wave"
PRE_DEPLOY, POST_DEPLOY, ROLLBACK = "pre-deploy", "post-deploy", "rollback"
_HOOKS = (PRE_DEPLOY, POST_DEPLOY, ROLLBACK)
_WAVE = re.compile(r"-?\d{1,3}", re.ASCII)
ORDER = (
    "Namespace", "CustomResourceDefinition", "ServiceAccount", "ConfigMap", "Secret", "PersistentVolumeClaim",
    "NetworkPolicy", "Service",
)  # fmt: skip
_HOOKS_NEED = frozenset(ORDER) - {"Service"}
"""What a hook may refer to, and is applied before it runs."""


def hook_of(document: Mapping[str, Any]) -> str:
    """When a Job runs; empty where it is part of the release like any other object."""
    return str(_annotations(document).get(HOOK, ""))


def wave_of(document: Mapping[str, Any]) -> int:
    return int(_annotations(document).get(WAVE, 0))


def phase_faults(document: Mapping[str, Any]) -> Iterator[str]:
    """Every reason to refuse what an object says of its order."""
    given = _annotations(document)
    hook, wave = given.get(HOOK), given.get(WAVE)
    if hook is not None and hook not in _HOOKS:
        yield f"annotation {HOOK} is {excerpt(str(hook), 60)!r}; it may be {', '.join(_HOOKS)}"
    if hook is not None and document.get("kind") != "Job":
        yield f"annotation {HOOK} is for Jobs alone"
    if wave is not None and not (isinstance(wave, str) and _WAVE.fullmatch(wave)):
        yield f"annotation {WAVE} is {excerpt(str(wave), 60)!r}; it has to be a number in quotes, from -999 to 999"


def defined_kinds(documents: Iterable[Mapping[str, Any]]) -> frozenset[tuple[str, str]]:
    """The (group, kind) of every definition among some documents."""
    specs = [mapping(document.get("spec")) for document in documents if document.get("kind") == DEFINITION]
    return frozenset((str(spec.get("group")), str(mapping(spec.get("names")).get("kind"))) for spec in specs)


def is_among(document: Mapping[str, Any], kinds: frozenset[tuple[str, str]]) -> bool:
    """Whether a document is of one of these kinds."""
    return (str(document.get("apiVersion")).rpartition("/")[0], str(document.get("kind"))) in kinds


def rank(kind: str) -> int:
    """The place of a kind within its wave: what others refer to comes first."""
    return ORDER.index(kind) if kind in ORDER else len(ORDER)


def phases(documents: Iterable[Document]) -> list[list[Document]]:
    """What is applied together, in order; each is healthy, or complete, before the next begins.

    Definitions of kinds come first. Without them, hooks and waves it is all of it at once. Jobs that run on the way back
    alone are in none.
    """
    keyed: dict[tuple[int, int], list[Document]] = {}
    for document in documents:
        if hook_of(document) != ROLLBACK:
            keyed.setdefault(_phase(document), []).append(document)
    if {step for step, _ in keyed} <= {0, 2} and {wave for _, wave in keyed} <= {0}:
        return [[document for key in sorted(keyed) for document in keyed[key]]]
    return [keyed[key] for key in sorted(keyed)]


def _phase(document: Document) -> tuple[int, int]:
    hook, wave = hook_of(document), wave_of(document)
    if document["kind"] == DEFINITION:
        return -1, wave
    if hook:
        return (1 if hook == PRE_DEPLOY else 3), wave
    return (0 if document["kind"] in _HOOKS_NEED and WAVE not in _annotations(document) else 2), wave


def _annotations(document: Mapping[str, Any]) -> dict[Any, Any]:
    return mapping(mapping(document.get("metadata")).get("annotations"))
