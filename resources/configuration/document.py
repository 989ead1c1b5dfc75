"""Read the pipeline's own YAML files strictly: every fault names its file, its line and its key, all of them at once.

A key that is given twice is a fault, where YAML's libraries let the last one win; so is a value that is none, as the 30th
of February. Deliberately absent: YAML of commits, which has limits and readers of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from infraaudit_domain.errors import ConfigurationError, excerpt

Key = tuple[int | str, ...]
"""The way from the top of a document to one of its values."""
Model = TypeVar("Model", bound=BaseModel)
_NO_VALUE = (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError)
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong with a file."""

    key: Key
    line: int
    what: str

    def __str__(self) -> str:
        return f"  {_shown(self.key)}: {self.what} (line {self.line})"


@dataclass(slots=True)
class Document:
    """What a file says, where each value stands, and what is wrong with its YAML."""

    path: Path
    value: Any = None
    faults: list[Fault] = field(default_factory=list)
    _lines: dict[Key, int] = field(default_factory=dict)

    def line(self, key: Sequence[int | str]) -> int:
        """Where a value stands; where it is missing, what it is missing from."""
        ways = (tuple(key[:length]) for length in range(len(key), 0, -1))
        return next((self._lines[way] for way in ways if way in self._lines), 1)

    def mark(self, key: Key, line: int) -> None:
        self._lines.setdefault(key, line)

    def within(self, key: Key) -> list[Fault]:
        """The faults of a part of it."""
        return [fault for fault in self.faults if fault.key[: len(key)] == key]

    def validate(self, model: type[Model], what: str) -> Model:
        """The document as a model. Raises ConfigurationError that lists every fault of its YAML, or else of the model."""
        if self.faults:
            raise self.error(self.faults, what)
        try:
            return model.model_validate(self.value or {})
        except ValidationError as error:
            raise self.error(self.faults_of(error), what) from error

    def faults_of(self, error: ValidationError, key: Key = ()) -> list[Fault]:
        """What a model says of the document, or of a part of it; nothing of values whose YAML is wrong already."""
        reported = {fault.key for fault in self.faults}
        found = []
        for one in error.errors():
            way = (*key, *(part for part in one["loc"] if part != "[key]"))
            if way not in reported:
                found.append(Fault(way, self.line(way), excerpt(one["msg"], 300)))
        return found

    def error(self, faults: Sequence[Fault], what: str) -> ConfigurationError:
        listed = "\n".join(map(str, sorted(faults, key=lambda fault: fault.line)))
        return ConfigurationError(f"Invalid {what} {self.path}:\n{listed}")


def read_document(path: Path, what: str) -> Document:
    """A YAML file. Raises FileNotFoundError, and ConfigurationError where it is no YAML at all."""
    return parse_document(path, read_text(path, what), what)


def read_text(path: Path, what: str) -> str:
    """A file of ours as text. Raises FileNotFoundError, and ConfigurationError where it cannot be read."""
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"The {what} {path} cannot be read: line {line} is no UTF-8 text.") from error
    except OSError as error:
        raise ConfigurationError(f"The {what} {path} cannot be read: {error.strerror or error}.") from error


def parse_document(path: Path, text: str, what: str) -> Document:
    """The text of a YAML file. Raises ConfigurationError where it is no YAML at all."""
    document = Document(path)
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            document.value = None if node is None else _Builder(document, loader).build(node, ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(filter(None, (error.context, error.problem)))
        raise _no_yaml(document, what, mark.line + 1 if mark else 1, said) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise _no_yaml(document, what, line, "a control character is not allowed") from error
    except RecursionError as error:
        raise _no_yaml(document, what, 1, "it is nested too deeply") from error
    return document


def _no_yaml(document: Document, what: str, line: int, said: str) -> ConfigurationError:
    return ConfigurationError(
        f"The {what} {document.path} cannot be read: line {line} is no YAML: {excerpt(said, 300)}."
    )


class _Builder:
    """Makes plain values of nodes, and remembers where each stood."""

    def __init__(self, document: Document, loader: yaml.SafeLoader) -> None:
        self._document, self._loader = document, loader
        self._made: dict[int, Any] = {}
        self._open: set[int] = set()

    def build(self, node: yaml.Node, key: Key) -> Any:
        if id(node) in self._open:
            return self._fault(key, node, "it contains itself")
        if id(node) not in self._made:
            self._open.add(id(node))
            self._made[id(node)] = self._build(node, key)
            self._open.discard(id(node))
        return self._made[id(node)]

    def _build(self, node: yaml.Node, key: Key) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag.endswith(":map"):
            return dict(self._pairs(node, key))
        if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
            return [self._item(item, (*key, place)) for place, item in enumerate(node.value)]
        return self._scalar(node, key)

    def _item(self, node: yaml.Node, key: Key) -> Any:
        self._document.mark(key, node.start_mark.line + 1)
        return self.build(node, key)

    def _pairs(self, node: yaml.MappingNode, key: Key) -> Iterator[tuple[Any, Any]]:
        first: dict[Any, int] = {}
        for name_node, _ in node.value:
            name = "<<" if name_node.tag == _MERGE else self._name(name_node, key)
            line = name_node.start_mark.line + 1
            if name in first:
                self._fault((*key, name), name_node, f"it is given twice, first in line {first[name]}")
            first.setdefault(name, line)
            self._document.mark((*key, name), line)
        try:
            self._loader.flatten_mapping(node)
        except yaml.YAMLError as error:
            self._fault(key, node, str(getattr(error, "problem", error)))
            return
        for name_node, value in node.value:
            name = self._name(name_node, key)
            yield name, self.build(value, (*key, name))

    def _name(self, node: yaml.Node, key: Key) -> Any:
        name = self._scalar(node, key) if isinstance(node, yaml.ScalarNode) else None
        return name if isinstance(node, yaml.ScalarNode) else self._fault(key, node, "a key must be a plain value")

    def _scalar(self, node: yaml.Node, key: Key) -> Any:
        try:
            return self._loader.construct_object(node, deep=True)
        except _NO_VALUE as error:
            said = getattr(error, "problem", None) or str(error)
            value = f"{node.value!r} is no value" if isinstance(node, yaml.ScalarNode) else "it is no value"
            return self._fault(key, node, f"{excerpt(value, 100)}: {excerpt(said, 200)}")

    def _fault(self, key: Key, node: yaml.Node, what: str) -> None:
        fault = Fault(key, node.start_mark.line + 1, what)
        if fault not in self._document.faults:
            self._document.faults.append(fault)


def _shown(key: Key) -> str:
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{excerpt(str(part), 80)}" for part in key)
    return words.removeprefix(".") or "the file"
