"""What is patched in Checkov to make it faster without changing what it finds.

Each patch looks whether it fits and is left out where a later Checkov differs; the equality test and the benchmark
compare findings with those of an unpatched process.
"""

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

_MOST_PARSED = 20_000
_MOST_EVALUATED, _LONGEST_EVALUATED = 20_000, 2_000
_CHANGING = ("time", "uuid", "rand", "bcrypt", "date")
"""Parts of the names of functions that do not give the same value twice."""
_PLAIN = (str, int, float, bool, type(None))


def apply(parsed: Path) -> None:
    """Patch the Checkov that is imported in this process; ``parsed`` keeps parsed Terraform files by their text."""
    cache_jsonpath_tables()
    remember_evaluations()
    keep_parsed_terraform(parsed)


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


def remember_evaluations() -> None:
    """Evaluate an expression of Terraform once per scan: an interpreter is made for each, and most come again."""
    try:
        from checkov.terraform.graph_builder.variable_rendering import evaluate_terraform, safe_eval_functions
    except ImportError:
        return
    original = safe_eval_functions.evaluate
    known: dict[str, tuple[bool, Any]] = {}

    def evaluate(input_str: str) -> Any:
        if not isinstance(input_str, str) or len(input_str) > _LONGEST_EVALUATED:
            return original(input_str)
        if any(word in input_str for word in _CHANGING):
            return original(input_str)
        if input_str not in known:
            outcome = _outcome(original, input_str)
            if outcome is None or len(known) >= _MOST_EVALUATED:
                return original(input_str)
            known[input_str] = outcome
        is_value, value = known[input_str]
        if not is_value:
            raise ValueError(*value)
        # Checkov changes lists and maps in place, so that everyone gets one of their own.
        return value if isinstance(value, _PLAIN) else pickle.loads(value)

    for module in (safe_eval_functions, evaluate_terraform):
        if getattr(module, "evaluate", None) is original:
            setattr(module, "evaluate", evaluate)  # noqa: B010 - mypy: not exported


def _outcome(evaluate: Callable[[str], Any], text: str) -> tuple[bool, Any] | None:
    try:
        value = evaluate(text)
    except ValueError as error:
        return (False, error.args) if type(error) is ValueError else None
    if type(value) in _PLAIN:
        return True, value
    # Only plain lists and maps are kept: anything else may be a function or refer to the interpreter.
    return (True, pickle.dumps(value)) if _is_plain(value) else None


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
    folder.mkdir(parents=True, exist_ok=True)

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
