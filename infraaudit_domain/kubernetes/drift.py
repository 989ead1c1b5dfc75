"""Compare what runs with what was deployed, field by field. Deliberately absent: asking a cluster for either."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.kubernetes.managed import Path, manager_of, shown

_OF_THE_SERVER = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})
_TEXT_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one object; ``path`` is empty where the whole object is gone."""

    identity: str
    path: str
    deployed: str
    running: str
    manager: str = ""
    """The field manager that wrote what runs; empty where that is unknown."""
    way: Path = ()
    """The path by its steps."""

    def __str__(self) -> str:
        if not self.path:
            return f"{self.identity} is gone"
        who = f" (by {self.manager})" if self.manager else ""
        return f"{self.identity}: {self.path} is {self.running}, deployed was {self.deployed}{who}"


def differences(
    identity: str, deployed: Mapping[str, Any], running: Mapping[str, Any] | None, ours: str = ""
) -> list[Difference]:
    """The fields in which a running object differs from what deploying it again would make it.

    ``deployed`` is the server's answer to a dry run, so that defaults are on both sides. ``ours`` is the field manager
    that deploys.
    """
    if running is None:
        return [Difference(identity, "", "there", "gone")]
    found = _compare((), _without_server_fields(deployed), _without_server_fields(running))
    return [
        difference(identity, path, wanted, actual, manager_of(running, path, ours)) for path, wanted, actual in found
    ]


def difference(identity: str, path: Path, deployed: Any, running: Any, manager: str) -> Difference:
    """One field as a difference; None is absent. What is in a Secret is not shown."""
    if identity.startswith("Secret/") and path[:1] in (("data",), ("stringData",)):
        deployed, running = (value if value is None else "***" for value in (deployed, running))
    return Difference(identity, shown(path), _text(deployed), _text(running), manager, path)


def _without_server_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    metadata = document.get("metadata")
    kept = {name: value for name, value in document.items() if name not in ("status", "metadata")}
    if isinstance(metadata, Mapping):
        kept["metadata"] = {name: value for name, value in metadata.items() if name not in _OF_THE_SERVER}
    return kept


def _compare(path: Path, wanted: Any, actual: Any) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        for name in sorted({*wanted, *actual}, key=str):
            yield from _compare((*path, str(name)), wanted.get(name), actual.get(name))
    elif isinstance(wanted, list) and isinstance(actual, list) and len(wanted) == len(actual):
        for position, (left, right) in enumerate(zip(wanted, actual, strict=True)):
            yield from _compare((*path, position), left, right)
    elif wanted != actual:
        yield path, wanted, actual


def _text(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= _TEXT_LENGTH else f"{text[:_TEXT_LENGTH]}…"
