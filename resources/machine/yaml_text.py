"""Read YAML that somebody else wrote: what JSON can hold, and no more of it than was allowed.

Events are counted before anything is built, so that neither depth nor aliases nor merge keys can grow in memory. Numbers
and dates are read as Kubernetes and Prometheus read them: what only YAML 1.1 takes for a date or a number to the base
of 60 is a text. Deliberately absent: our own configuration (resources/configuration/document.py), and what the values
mean.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from infraaudit_domain.errors import excerpt

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset({"str", "timestamp", "value", "merge"})
_DIGITS = 40
_MERGE = f"{_TAG}merge"


class UnreadableError(ValueError):
    """The text is no YAML, or beyond a bound; the message says which, in one line."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a text is read."""

    size: int = 2 * 1024 * 1024
    """In characters."""
    depth: int = 60
    nodes: int = 100_000
    """Values and keys; those behind an alias count each time."""
    aliases: bool = False


def read_documents(text: str, bounds: Bounds) -> list[Any]:
    """The documents of a text, empty ones left out. Raises UnreadableError."""
    if len(text) > bounds.size:
        raise UnreadableError(f"it is longer than {bounds.size} characters")
    try:
        if fault := fault_of(text, bounds):
            raise UnreadableError(fault)
        return [value for value in _documents(text) if value is not None]
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise UnreadableError(f"it is no YAML: {excerpt(' '.join(str(error).split()), 300)}") from error


def fault_of(text: str | bytes, bounds: Bounds) -> str:
    """Why a text is beyond the bounds; empty where it is not. Raises yaml.YAMLError where it is no YAML."""
    nodes = 0
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, nodes))
            if len(opened) > bounds.depth:
                return f"it is nested deeper than {bounds.depth} levels"
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                sizes[anchor] = nodes - before
        elif isinstance(event, yaml.AliasEvent):
            if not bounds.aliases:
                return f"aliases are not allowed ({event.anchor})"
            if event.anchor in {name for name, _ in opened}:
                return "an alias refers to what it is inside of"
        if isinstance(event, yaml.NodeEvent):
            nodes += sizes.get(event.anchor or "", 1) if isinstance(event, yaml.AliasEvent) else 1
        if nodes > bounds.nodes:
            return f"it has more than {bounds.nodes} values, with its aliases written out"
    return ""


def _documents(text: str) -> Iterator[Any]:
    loader: Any = _LOADER(text)
    try:
        while loader.check_node():
            yield _Built(loader).value(loader.get_node())
    finally:
        loader.dispose()


class _Built:
    """Plain values of one document's nodes; what an alias names is built once."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._made: dict[int, Any] = {}

    def value(self, node: yaml.Node) -> Any:
        if id(node) not in self._made:
            self._made[id(node)] = self._build(node)
        return self._made[id(node)]

    def _build(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value(item) for item in node.value]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        raise UnreadableError(f"the tag {excerpt(node.tag, 80)} is not allowed (line {_line(node)})")

    def _mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        names = [self._name(name) for name, _ in node.value if name.tag != _MERGE]
        if len(set(names)) < len(names):
            doubled = next(name for place, name in enumerate(names) if name in names[:place])
            raise UnreadableError(f"the key {excerpt(str(doubled), 80)} is given twice (line {_line(node)})")
        self._loader.flatten_mapping(node)
        return {self._name(name): self.value(value) for name, value in node.value}

    def _name(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise UnreadableError(f"a key must be a plain value (line {_line(node)})")
        return self._scalar(node)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        kind = node.tag.removeprefix(_TAG)
        if kind in _PLAIN or (kind in ("int", "float") and ":" in node.value):
            return node.value
        if kind not in ("null", "bool", "int", "float"):
            raise UnreadableError(f"the tag {excerpt(node.tag, 80)} is not allowed (line {_line(node)})")
        if len(node.value) > _DIGITS:
            raise UnreadableError(f"a number of {len(node.value)} characters is none (line {_line(node)})")
        try:
            value = self._loader.construct_object(node)
        except (ValueError, KeyError, IndexError, ArithmeticError) as error:
            shown = excerpt(node.value, 60)
            raise UnreadableError(f"{shown!r} is no {kind} (line {_line(node)})") from error
        if isinstance(value, float) and not math.isfinite(value):
            raise UnreadableError(f"{excerpt(node.value, 60)} is no number that JSON has (line {_line(node)})")
        return value


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
