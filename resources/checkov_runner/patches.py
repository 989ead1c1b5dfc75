"""What is patched in Checkov to make it faster without changing what it finds.

Each patch looks whether it fits and is left out where a later Checkov differs; the equality test and the benchmark
compare findings with those of an unpatched process.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

_MOST_PARSED = 20_000
_MOST_EVALUATED, _LONGEST_EVALUATED = 30_000, 1_000
_CHANGING = ("time", "uuid", "rand", "bcrypt", "date")
"""Parts of the names of functions that do not give the same value twice."""
_PLAIN = (str, int, float, bool, type(None))


def apply(parsed: Path) -> "Evaluations":
    """Patch the Checkov that is imported in this process; ``parsed`` is where children leave what they parsed."""
    parsed.mkdir(parents=True, exist_ok=True)
    cache_jsonpath_tables()
    remember_evaluations(evaluations := Evaluations(parsed / "evaluations.json"))
    keep_parsed_terraform(parsed)
    return evaluations


def cache_jsonpath_tables() -> None:
    """Build the tables of the JSONPath grammar once: the library builds them anew for every path it parses."""
    try:
        from bc_jsonpath_ng import parser
        from ply import yacc  # type: ignore[import-untyped]
    except ImportError:
        return
    tables: dict[Any, Any] = {}
    token_stream: Any = parser.IteratorToTokenStream

    def parse_token_stream(self: Any, token_iterator: Any, start_symbol: str = "jsonpath") -> Any:
        key = (type(self), start_symbol)
        if key not in tables:
            tables[key] = yacc.yacc(
                module=self, debug=False, tabmodule="_none_", write_tables=False, start=start_symbol
            )
        return tables[key].parse(lexer=token_stream(token_iterator))

    setattr(parser.JsonPathParser, "parse_token_stream", parse_token_stream)  # noqa: B010 - mypy: a method
    from bc_jsonpath_ng.ext.parser import parse

    parse("$.a[?(@.b == 1)]")  # builds the tables here, before any child is forked


class Evaluations:
    """Expressions of Terraform and their values, kept from one child to the next in a file of JSON."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._known: dict[str, list[Any]] | None = None
        self._fresh: dict[str, list[Any]] = {}

    def value(self, how: str, evaluate: Callable[[str], Any], text: Any) -> Any:
        """What ``evaluate``, which ``how`` names, gives for a text, asked only when that is not known."""
        if not isinstance(text, str) or len(text) > _LONGEST_EVALUATED or any(word in text for word in _CHANGING):
            return evaluate(text)
        if self._known is None:
            self._known = self._load()
        key = f"{how} {text}"
        outcome = self._known.get(key) or _outcome(evaluate, text)
        if outcome is None:
            return evaluate(text)
        if key not in self._known and len(self._known) < _MOST_EVALUATED:
            self._known[key] = self._fresh[key] = outcome
        kind, value = outcome
        if kind == "error":
            raise ValueError(*value)
        # Checkov changes lists and maps in place, so that everyone gets one of their own.
        return json.loads(value) if kind == "json" else value

    def _load(self) -> dict[str, list[Any]]:
        try:
            known = json.loads(self._place.read_bytes())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) and len(known) < _MOST_EVALUATED else {}

    def forget(self) -> None:
        """Know nothing again, so that whoever is forked from here reads the file."""
        self._known, self._fresh = None, {}

    def save(self) -> None:
        """Leave what this process learned to the next one."""
        if self._fresh:
            fresh = self._place.with_name(f"{self._place.name}.{os.getpid()}")
            fresh.write_text(json.dumps(self._known))
            fresh.rename(self._place)


def remember_evaluations(memory: Evaluations) -> None:
    """Evaluate an expression of Terraform once, alone and with all that Checkov does around it: most come again."""
    try:
        from checkov.terraform.graph_builder.foreach import abstract_handler
        from checkov.terraform.graph_builder.variable_rendering import evaluate_terraform, safe_eval_functions
    except ImportError:
        return
    alone, around = safe_eval_functions.evaluate, evaluate_terraform.evaluate_terraform

    def evaluate(input_str: str) -> Any:
        return memory.value("alone", alone, input_str)

    def evaluate_all(input_str: Any, keep_interpolations: bool = True) -> Any:
        how = "kept" if keep_interpolations else "stripped"
        return memory.value(how, lambda text: around(text, keep_interpolations), input_str)

    for module, name, usual, ours in (
        (safe_eval_functions, "evaluate", alone, evaluate),
        (evaluate_terraform, "evaluate", alone, evaluate),
        (evaluate_terraform, "evaluate_terraform", around, evaluate_all),
        (abstract_handler, "evaluate_terraform", around, evaluate_all),
    ):
        if getattr(module, name, None) is usual:
            setattr(module, name, ours)


def _outcome(evaluate: Callable[[str], Any], text: str) -> list[Any] | None:
    try:
        value = evaluate(text)
    except ValueError as error:
        return ["error", list(error.args)] if type(error) is ValueError and _is_plain(list(error.args)) else None
    if not _is_plain(value):
        return None  # a function, or something that refers to the interpreter
    return ["plain", value] if type(value) in _PLAIN else ["json", json.dumps(value)]


def keep_parsed_terraform(folder: Path) -> None:
    """Parse a text of HCL once for all children of this parent; what JSON cannot hold exactly is parsed anew."""
    try:
        import hcl2
        from checkov.terraform import parser_utils
    except ImportError:
        return
    if getattr(parser_utils, "hcl2", None) is not hcl2:
        return
    original: Callable[[Any], Any] = hcl2.load

    def load(stream: Any) -> Any:
        text = stream.read()
        place = folder / hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        try:
            return json.loads(place.read_bytes())
        except (OSError, ValueError):
            stream.seek(0)
            parsed = original(stream)
            if _is_plain(parsed) and len(os.listdir(folder)) < _MOST_PARSED:
                fresh = place.with_name(f"{place.name}.{os.getpid()}")
                fresh.write_text(json.dumps(parsed))
                fresh.rename(place)
            return parsed

    replacement = type("hcl2", (), {"load": staticmethod(load), "loads": staticmethod(hcl2.loads)})
    setattr(parser_utils, "hcl2", replacement)  # noqa: B010 - mypy: not exported


def _is_plain(value: Any) -> bool:
    if type(value) is dict:
        return all(type(key) is str and _is_plain(inner) for key, inner in value.items())
    if type(value) is list:
        return all(map(_is_plain, value))
    return type(value) in _PLAIN and value == value
