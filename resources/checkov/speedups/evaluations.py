"""Terraform's expressions and their values, kept from one scan to the next.

Checkov evaluates the same texts again and again, and evaluating one has a side effect: ``a = 1`` defines a symbol for
everything that is evaluated after it in the same process. Only values that were evaluated without such a symbol are
kept. Once symbols are defined, a kept value is used only where none of them can affect it.
"""

import json
import os
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from resources.checkov.speedups.patch import made_for

_MOST_TEXT = 24_000_000
"""Characters of texts and values in the file; a child reads it in a tenth of a second."""
_CHANGING = "timestamp"
"""The one function in Checkov's table that does not give the same value twice."""
_PLAIN = (str, int, float, bool, type(None))
_RENDERING = "checkov.terraform.graph_builder.variable_rendering"
EVALUATING = (
    f"{_RENDERING}.evaluate_terraform",
    f"{_RENDERING}.safe_eval_functions",
    "checkov.common.util.parser_utils",
)
"""Where Checkov evaluates an expression."""


class Symbols(dict[str, Any]):
    """The table of symbols of Checkov's evaluations, which knows what an expression defined."""

    def __init__(self, symbols: dict[str, Any]) -> None:
        super().__init__(symbols)
        self.defined: set[str] = set()

    def __setitem__(self, name: str, value: Any) -> None:
        if name != "print":  # every evaluation sets that one anew
            self.defined.add(name)
        super().__setitem__(name, value)


@made_for(*EVALUATING, "checkov.terraform.graph_builder.foreach.abstract_handler", "asteval.asteval")
def remember_evaluations(kept: Path) -> "Evaluations":
    """Make Checkov evaluate an expression once, both by itself and with the processing around it."""
    evaluate_terraform: Any = import_module(f"{_RENDERING}.evaluate_terraform")
    safe_eval_functions: Any = import_module(f"{_RENDERING}.safe_eval_functions")
    abstract_handler: Any = import_module("checkov.terraform.graph_builder.foreach.abstract_handler")
    one, around = safe_eval_functions.evaluate, evaluate_terraform.evaluate_terraform
    symbols = Symbols(safe_eval_functions.SAFE_EVAL_DICT)
    memory = Evaluations(kept / "evaluations.json", symbols)

    def evaluate(input_str: str) -> Any:
        return memory.of_expression(one, input_str)

    def evaluate_all(input_str: Any, keep_interpolations: bool = True) -> Any:
        how = "kept" if keep_interpolations else "stripped"
        return memory.of_value(how, lambda text: around(text, keep_interpolations), input_str)

    safe_eval_functions.SAFE_EVAL_DICT = symbols
    safe_eval_functions.evaluate = evaluate_terraform.evaluate = evaluate
    evaluate_terraform.evaluate_terraform = abstract_handler.evaluate_terraform = evaluate_all
    return memory


class Evaluations:
    """Texts and their values, read from a JSON file when first needed and saved there for the next process."""

    def __init__(self, path: Path, symbols: Symbols) -> None:
        self._path, self._symbols = path, symbols
        self._known: dict[str, list[Any]] | None = None
        self._learned = False
        self._unique = 0
        """Expressions evaluated so far whose value may differ the next time."""
        self._attribute = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, symbols))})\s*\.")

    def of_expression(self, evaluate: Callable[[str], Any], text: Any) -> Any:
        """What ``evaluate`` gives for one expression."""
        is_plain_text = type(text) is str and text.isascii() and "try" not in text  # which evaluates what it is given
        if self._symbols.defined and not (is_plain_text and not any(name in text for name in self._symbols.defined)):
            return evaluate(text)
        return self._value("expression", evaluate, text)

    def of_value(self, how: str, evaluate: Callable[[str], Any], text: Any) -> Any:
        """The result of ``evaluate`` (named ``how``) for a text, expression by expression."""
        return evaluate(text) if self._symbols.defined else self._value(how, evaluate, text)

    def _value(self, how: str, evaluate: Callable[[str], Any], text: Any) -> Any:
        if type(text) is not str:
            return evaluate(text)
        if self._known is None:
            self._known = self._load()
        key = f"{how} {text}"
        outcome = self._known.get(key)
        if outcome is None:
            state = len(self._symbols.defined), self._unique
            if _CHANGING in text or self._attribute.search(text):
                self._unique += 1
            outcome = _outcome(evaluate, text)
            if outcome[0] not in ("raw", "raised") and state == (len(self._symbols.defined), self._unique):
                self._known[key] = outcome
                self._learned = True
        kind, value = outcome
        if kind == "error":
            raise ValueError(*value)
        if kind == "raised":
            raise value
        # Checkov changes lists and maps in place, so each caller gets a copy.
        return json.loads(value) if kind == "json" else value

    def _load(self) -> dict[str, list[Any]]:
        try:
            known = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def forget(self) -> None:
        """Forget everything, so that a process forked from here reads the file."""
        self._known, self._learned = None, False

    def save(self) -> None:
        """Save what this process knows for the next one; where it is too much, all of it is forgotten."""
        if self._learned:
            text = json.dumps(self._known)
            fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            fresh.write_text(text if len(text) < _MOST_TEXT else "{}")
            fresh.rename(self._path)


def _outcome(evaluate: Callable[[str], Any], text: str) -> list[Any]:
    """How an evaluation ended; ``raw`` and ``raised`` hold what JSON cannot."""
    try:
        value = evaluate(text)
    except ValueError as error:
        is_kept = type(error) is ValueError and is_plain(list(error.args))
        return ["error", list(error.args)] if is_kept else ["raised", error]
    if not is_plain(value):
        return ["raw", value]
    return ["plain", value] if type(value) in _PLAIN else ["json", json.dumps(value)]


def is_plain(value: Any) -> bool:
    """Whether JSON gives back exactly this value."""
    if type(value) is dict:
        return all(type(key) is str and is_plain(inner) for key, inner in value.items())
    if type(value) is list:
        return all(map(is_plain, value))
    return type(value) in _PLAIN and value == value
