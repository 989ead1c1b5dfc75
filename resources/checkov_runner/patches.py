"""What is patched in Checkov to make it faster without changing what it finds.

Each patch checks that it fits and is left out, silently for the findings, where a later Checkov differs.
"""

from typing import Any


def apply() -> None:
    """Patch the Checkov that is imported in this process."""
    cache_jsonpath_tables()


def cache_jsonpath_tables() -> None:
    """Build the tables of the JSONPath grammar once: the library builds them anew for every path it parses."""
    try:
        from bc_jsonpath_ng import parser
        from ply import yacc  # type: ignore[import-untyped]
    except ImportError:
        return
    tables: dict[Any, Any] = {}

    def parse_token_stream(self: Any, token_iterator: Any, start_symbol: str = "jsonpath") -> Any:
        key = (type(self), start_symbol)
        if key not in tables:
            tables[key] = yacc.yacc(
                module=self, debug=False, tabmodule="_none_", write_tables=False, start=start_symbol
            )
        return tables[key].parse(lexer=parser.IteratorToTokenStream(token_iterator))

    if hasattr(parser, "IteratorToTokenStream") and hasattr(parser.JsonPathParser, "parse_token_stream"):
        parser.JsonPathParser.parse_token_stream = parse_token_stream
