"""Has the reading of a serverless.yml say what it left out: resources and functions that stand in a file of their own.

Checkov puts nothing in the place of what it cannot fill in (a script, a parameter of the account, a file that does not
parse), and says nothing. Deliberately absent: variables inside a resource, whose checks see a value that is not known.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

from resources.checkov.reading import proof

_PARTS = {"resources": "Resources", "functions": ""}
"""By part of a template: the key in it that its entries stand under, if any."""
_VARIABLE = "${"
Keys = tuple[str | int, ...]


def witness() -> None:
    """Have the parser report to the current proof."""
    parser: Any = import_module("checkov.serverless.parsers.parser")
    parser.process_variables = _noting_unfilled(parser.process_variables)


def _noting_unfilled(usual: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def process_variables(template: Any, filename: str) -> Any:
        wanted = list(_included(template))
        filled = usual(template, filename)
        missing = [text for keys, text in wanted if not _is_filled(_at(filled, keys))]
        missing += [text for _, text in _included(filled) if text not in missing]
        if missing and proof.current is not None:
            proof.current.unfilled[filename] = f"Checkov does not fill in {', '.join(missing[:3])}"
        return filled

    return process_variables


def _included(template: Any) -> Iterator[tuple[Keys, str]]:
    """What stands in the place of resources or functions, or of one of them, as a variable."""
    for part, inner in _PARTS.items() if isinstance(template, Mapping) else ():
        whole = template.get(part)
        for place, one in _each((part,), whole) if isinstance(whole, list) else [((part,), whole)]:
            yield from _in(place, one)
            if isinstance(one, Mapping):
                named, below = (one.get(inner), (*place, inner)) if inner else (one, place)
                yield from _in(below, named)
                for name, each in _each(below, named):
                    yield from _in(name, each)


def _each(place: Keys, values: Any) -> Iterator[tuple[Keys, Any]]:
    pairs = values.items() if isinstance(values, Mapping) else enumerate(values if isinstance(values, list) else ())
    return (((*place, key), value) for key, value in pairs)


def _in(place: Keys, value: Any) -> Iterator[tuple[Keys, str]]:
    if isinstance(value, str) and value.startswith(_VARIABLE):
        yield place, str(value)


def _at(document: Any, keys: Keys) -> Any:
    for key in keys:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _is_filled(value: Any) -> bool:
    return isinstance(value, (dict, list)) and bool(value)
