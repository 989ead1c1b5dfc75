"""Compare what runs with what was deployed, field by field. Deliberately absent: asking a cluster for either."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_OF_THE_SERVER = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})
_TEXT_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one object; ``path`` is empty where the whole object is gone."""

    identity: str
    path: str
    deployed: str
    running: str

    def __str__(self) -> str:
        if not self.path:
            return f"{self.identity} is gone"
        return f"{self.identity}: {self.path} is {self.running}, deployed was {self.deployed}"


def differences(identity: str, deployed: Mapping[str, Any], running: Mapping[str, Any] | None) -> list[Difference]:
    """The fields in which a running object differs from what deploying it again would make it.

    ``deployed`` is the server's answer to a dry run, so that defaults are on both sides.
    """
    if running is None:
        return [Difference(identity, "", "there", "gone")]
    found = _compare("", _without_server_fields(deployed), _without_server_fields(running))
    return [Difference(identity, path, _text(wanted), _text(actual)) for path, wanted, actual in found]


def _without_server_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    metadata = document.get("metadata")
    kept = {name: value for name, value in document.items() if name not in ("status", "metadata")}
    if isinstance(metadata, Mapping):
        kept["metadata"] = {name: value for name, value in metadata.items() if name not in _OF_THE_SERVER}
    return kept


def _compare(path: str, wanted: Any, actual: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        for name in sorted({*wanted, *actual}, key=str):
            yield from _compare(f"{path}.{name}" if path else str(name), wanted.get(name), actual.get(name))
    elif isinstance(wanted, list) and isinstance(actual, list) and len(wanted) == len(actual):
        for position, (left, right) in enumerate(zip(wanted, actual, strict=True)):
            yield from _compare(f"{path}[{position}]", left, right)
    elif wanted != actual:
        yield path, wanted, actual


def _text(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= _TEXT_LENGTH else f"{text[:_TEXT_LENGTH]}…"
