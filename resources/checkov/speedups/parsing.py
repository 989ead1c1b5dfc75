"""Parse texts and grammars once instead of in every scan."""

import hashlib
import json
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from resources.checkov.speedups.evaluations import is_plain
from resources.checkov.speedups.patch import made_for

_MOST_PARSED = 20_000


@made_for("bc_jsonpath_ng.parser")
def cache_jsonpath_tables(_kept: Path) -> None:
    """Build the tables of the JSONPath grammar once: the library builds them anew for every path it parses."""
    from bc_jsonpath_ng import parser
    from ply import yacc  # type: ignore[import-untyped]

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


@made_for("checkov.terraform.parser_utils", "hcl2.api")
def keep_parsed_terraform(folder: Path) -> None:
    """Parse a text of HCL once for all children of this parent; what JSON cannot represent exactly is parsed again."""
    from checkov.terraform import parser_utils

    hcl2: Any = import_module("hcl2")
    original: Callable[[Any], Any] = hcl2.load

    def load(stream: Any) -> Any:
        text = stream.read()
        path = folder / hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        try:
            return json.loads(path.read_bytes())
        except (OSError, ValueError):
            stream.seek(0)
            parsed = original(stream)
            if is_plain(parsed) and len(os.listdir(folder)) < _MOST_PARSED:
                fresh = path.with_name(f"{path.name}.{os.getpid()}")
                fresh.write_text(json.dumps(parsed))
                fresh.rename(path)
            return parsed

    replacement = type("hcl2", (), {"load": staticmethod(load), "loads": staticmethod(hcl2.loads)})
    setattr(parser_utils, "hcl2", replacement)  # noqa: B010 - mypy: not exported


@made_for("checkov.bicep.parser", "pycep.main")
def build_the_grammar_of_bicep_once(_kept: Path) -> None:
    """Parse all Bicep of all children with one parser: building it takes 10 CPU seconds, and a child keeps no cache."""
    module: Any = import_module("checkov.bicep.parser")
    parser = module.BicepParser(add_line_numbers=True)

    def the_parser(*, add_line_numbers: bool = False) -> Any:
        assert add_line_numbers
        return parser

    module.BicepParser = the_parser
