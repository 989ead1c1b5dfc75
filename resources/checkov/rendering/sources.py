"""Which object of a source file a rendered object was: by its kind, and the name that its own name is made of.

Used inside the limited child. Deliberately absent: positions, so that an edit elsewhere renames nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resources.checkov.reading.yaml_check import inspect_text

_HASH = re.compile(r"-[0-9a-z]{10}$")
_WORKLOAD = "Pod"
"""The kind under which the scanner knows the pods that a workload makes."""


@dataclass(frozen=True, slots=True)
class Named:
    """An object of a source file."""

    kind: str
    namespace: str
    name: str
    lines: tuple[int, int]


@dataclass(slots=True)
class Sources:
    """The source files of one unit, each read once."""

    request: Mapping[str, Any]
    reads: frozenset[str]
    known: dict[str, list[Named]] = field(default_factory=dict)

    def of(self, document: Mapping[str, Any], origin: str) -> dict[str, Any]:
        """Where a rendered object comes from, and the names that its resources have there."""
        unit, is_chart = self.request["unit"], self.request["is_chart"]
        place = origin if origin in self.reads else unit
        kind, namespace, name = _identity(document)
        lines = (1, self._last_line(place))
        if is_chart:
            return {"origin": place, "names": {}, "lines": lines}
        before = self._before(place, kind, name) if place != unit else None
        if before is None:
            # The name of a generated object ends with a digest of its content.
            plain = _HASH.sub("", name) if kind in ("ConfigMap", "Secret") else name
            before = Named(kind, namespace, plain, lines)
        then, now = f"{before.namespace}.{before.name}", f"{namespace}.{name}"
        names = {f"{kind}.{now}": f"{kind}.{then}", f"{_WORKLOAD}.{now}.": f"{_WORKLOAD}.{then}"}
        return {"origin": place, "names": names, "lines": before.lines}

    def _before(self, path: str, kind: str, name: str) -> Named | None:
        """The object that it was: the one of its kind with the longest name that is in its own."""
        alike = [one for one in self._named(path) if one.kind == kind and one.name in name]
        return max(alike, key=lambda one: len(one.name), default=None)

    def _named(self, path: str) -> list[Named]:
        if path not in self.known:
            content = self._content(path)
            is_bad = inspect_text(content, self.request["yaml_depth"], self.request["yaml_nodes"])
            self.known[path] = [] if is_bad else list(_named(content))
        return self.known[path]

    def _last_line(self, path: str) -> int:
        return max(1, len(self._content(path).splitlines()))

    def _content(self, path: str) -> bytes:
        return Path(self.request["root"], path).read_bytes()


def documents(content: bytes) -> list[Any] | None:
    """The documents of a text that was looked at before, all values as text; None where it is no YAML."""
    import yaml

    try:
        return list(yaml.load_all(content, Loader=_loader()))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None


def _named(content: bytes) -> Iterator[Named]:
    import yaml

    loaded = documents(content) or []
    nodes = list(yaml.compose_all(content, Loader=_loader())) if loaded else []
    for node, document in zip(nodes, loaded, strict=True):
        if not isinstance(document, dict):
            continue
        lines = (node.start_mark.line + 1, max(node.start_mark.line + 1, node.end_mark.line))
        items = document.get("items") if str(document.get("kind", "")).endswith("List") else None
        for one in items if isinstance(items, list) else [document]:
            if isinstance(one, dict):
                yield Named(*_identity(one), lines)


def _identity(document: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return str(document.get("kind", "")), str(metadata.get("namespace", "default")), str(metadata.get("name", ""))


def _loader() -> Any:
    """It takes every value as text: some words of YAML, as a lone ``=``, are none to the usual one."""
    import yaml

    return getattr(yaml, "CBaseLoader", yaml.BaseLoader)
