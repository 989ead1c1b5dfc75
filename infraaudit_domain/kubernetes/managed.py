"""Who owns which field of an object, by its ``managedFields``, and what others have added to it.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management describes the format. Deliberately
absent: asking a cluster.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infraaudit_domain.kubernetes.fields import items, mapping

Keys = tuple[str, ...]
"""A way into an object as managedFields write it: ``f:spec``, ``k:{"name":"web"}``, ``v:"a"``."""
Path = tuple[str | int, ...]
"""The same way by names and positions."""

_OF_THE_CLUSTER = frozenset(
    {
        "kube-controller-manager", "kube-scheduler", "kubelet", "kube-apiserver", "cloud-controller-manager",
        "k3s", "rke2", "kubelite", "vpa-recommender", "vpa-updater",
    }
)  # fmt: skip
"""What writes to objects as part of its work: replicas that an autoscaler wants, what a Job has come to."""
_NOTES = frozenset({"kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"})


def additions(live: Mapping[str, Any], ours: str) -> list[tuple[Keys, str]]:
    """What others than the manager ``ours`` added to an object, each with who did.

    A container, a variable, a volume is one addition, whatever is in it.
    """
    managed = _managed(live)
    own = next((mapping(e.get("fieldsV1")) for e in managed if e.get("manager") == ours and _is_applied(e)), {})
    found: dict[Keys, str] = {}
    for entry in managed:
        if (
            entry.get("subresource") in (None, "", "scale")
            and not _is_of_the_cluster(entry)
            and not _is_own(entry, ours)
        ):
            for keys in _added((), mapping(entry.get("fieldsV1")), own):
                if keys[0] != "f:metadata" or _counts(keys):
                    found.setdefault(keys, str(entry.get("manager")))
    return [(keys, who) for keys, who in found.items() if locate(live, keys) is not None]


def manager_of(live: Mapping[str, Any], path: Path, ours: str) -> str:
    """Who, other than the manager ``ours``, owns a field; empty where nobody else does."""
    newest_first = sorted(_managed(live), key=lambda entry: str(entry.get("time")), reverse=True)
    others = (entry for entry in newest_first if not _is_own(entry, ours))
    return next((str(e.get("manager")) for e in others if _owns(mapping(e.get("fieldsV1")), live, path)), "")


def locate(document: Any, keys: Keys) -> tuple[Path, Any] | None:
    """Where a way of managedFields leads in a document, and what is there; None where nothing is."""
    path: list[str | int] = []
    for key in keys:
        step = _step(document, key)
        if step is None:
            return None
        path.append(step)
        document = document[step]
    return tuple(path), document


def shown(path: Path) -> str:
    """A path for people, and as a rule to ignore it names it."""
    words = (
        f"[{step}]" if isinstance(step, int) else f".{step}" if _is_plain(step) else f"['{step}']" for step in path
    )
    return "".join(words).removeprefix(".")


def _is_plain(name: str) -> bool:
    return all(letter not in name for letter in "./[]'\" ")


def _managed(live: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [mapping(entry) for entry in items(mapping(live.get("metadata")).get("managedFields"))]


def _is_applied(entry: Mapping[str, Any]) -> bool:
    return entry.get("operation") == "Apply" and not entry.get("subresource")


def _is_own(entry: Mapping[str, Any], ours: str) -> bool:
    return entry.get("manager") == ours and _is_applied(entry)


def _is_of_the_cluster(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("manager")).partition("@")[0] in _OF_THE_CLUSTER


def _counts(keys: Keys) -> bool:
    """Whether metadata is of interest: labels and annotations, but not what kubectl notes for itself."""
    if len(keys) < 2 or keys[1] not in ("f:labels", "f:annotations"):
        return False
    return len(keys) == 2 or keys[2].removeprefix("f:") not in _NOTES


def _added(keys: Keys, theirs: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[Keys]:
    for key, below in theirs.items():
        if key in (".", "f:status") or key.startswith(("f:apiVersion", "f:kind")):
            continue
        here = (*keys, key)
        if key in own:
            yield from _added(here, mapping(below), mapping(own[key]))
        elif not below or ("." in below and here != ("f:metadata", "f:annotations")):
            yield here
        else:
            yield from _added(here, mapping(below), {})


def _owns(fields: Mapping[str, Any], document: Any, path: Path) -> bool:
    """Whether a set of fields has a path, or all of what it lies in."""
    if not fields or not path:
        return True
    inside: Any = document
    for key, below in fields.items():
        if key != "." and _step(inside, key) == path[0]:
            return _owns(mapping(below), inside[path[0]], path[1:])
    return False


def _step(document: Any, key: str) -> str | int | None:
    kind, _, text = key.partition(":")
    if kind == "f" and isinstance(document, dict):
        return text if text in document else None
    if not isinstance(document, list):
        return None
    if kind == "i":
        return int(text) if text.isdecimal() and int(text) < len(document) else None
    try:
        wanted = json.loads(text)
    except ValueError:
        return None
    return next((place for place, item in enumerate(document) if _fits(item, wanted)), None)


def _fits(item: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(item, dict) and all(item.get(name, "TCP" if name == "protocol" else None) == value
                                              for name, value in wanted.items())  # fmt: skip
    return bool(item == wanted)


def removals(document: Mapping[str, Any], added: Sequence[Keys]) -> list[dict[str, Any]]:
    """A JSON patch that takes additions out of a document; the last of a list first, so that positions stay true."""
    places = [found[0] for keys in added if (found := locate(document, keys))]
    order = sorted(
        places, key=lambda path: [(isinstance(step, int), step if isinstance(step, int) else 0) for step in path]
    )
    pointers = ["/" + "/".join(_escaped(step) for step in path) for path in reversed(order)]
    return [{"op": "remove", "path": pointer} for pointer in dict.fromkeys(pointers)]


def _escaped(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")
