"""Find values in a manifest by a path such as ``containers[*].securityContext.privileged``.

A commit writes the manifest, so what has another shape than its path says is found as MISSHAPEN, never a crash.
"""

from collections.abc import Iterator, Mapping
from typing import Any

MISSHAPEN = object()
"""What stands where a mapping or a list belongs."""
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def values(document: Mapping[str, Any], path: str, where: str = "") -> Iterator[tuple[str, Any]]:
    """Each (place, value) that a path names; where something on the way is missing, nothing.

    ``containers[*]`` names every container of a pod: those that run before and those added for debugging included.
    """
    first, _, rest = path.partition(".")
    names = _CONTAINERS if first == "containers[*]" else (first.removesuffix("[*]"),)
    for name in names:
        if name not in document or document[name] is None:
            continue
        place = f"{where}.{name}" if where else name
        if not first.endswith("[*]"):
            yield from _below(document[name], rest, place)
        elif not isinstance(document[name], list):
            yield place, MISSHAPEN
        else:
            for index, item in enumerate(document[name]):
                yield from _below(item, rest, f"{place}[{index}]")


def _below(value: Any, rest: str, place: str) -> Iterator[tuple[str, Any]]:
    if not rest:
        yield place, value
    elif isinstance(value, dict):
        yield from values(value, rest, place)
    elif value is not None:
        yield place, MISSHAPEN


def mapping(value: object) -> dict[Any, Any]:
    """The value where it is a mapping, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """The value where it is a list, otherwise an empty one."""
    return value if isinstance(value, list) else []
