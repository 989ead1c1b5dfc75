"""What is patched in Checkov to make it faster without changing what it finds.

Each patch was written for some modules as they are; where one of them differs, it is left out and said so. The
equality test and the benchmark compare findings with those of an unpatched process.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from resources.checkov.speedups import evaluations, known_sources, rendering, shortcuts
from resources.checkov.speedups.evaluations import is_plain

_MOST_PARSED = 20_000
_RENDERER = "checkov.terraform.graph_builder.variable_rendering"
_GRAPH = "checkov.common.graph.graph_builder"
_RENDERING = (
    f"{_RENDERER}.renderer",
    f"{_GRAPH}.variable_rendering.renderer",
    f"{_GRAPH}.local_graph",
    f"{_GRAPH}.graph_components.blocks",
    "checkov.terraform.graph_builder.local_graph",
    "checkov.terraform.graph_builder.graph_components.blocks",
)
_EVALUATING = (
    f"{_RENDERER}.evaluate_terraform",
    f"{_RENDERER}.safe_eval_functions",
    "checkov.common.util.parser_utils",
)
_FOREACH = ("checkov.terraform.graph_builder.foreach.abstract_handler",)
_CHECKS = "checkov.terraform.checks.resource"

MADE_FOR: Mapping[str, tuple[str, ...]] = {
    "cache_jsonpath_tables": ("bc_jsonpath_ng.parser",),
    "keep_parsed_terraform": ("checkov.terraform.parser_utils", "hcl2.api"),
    "remember_evaluations": (*_EVALUATING, *_FOREACH, "asteval.asteval"),
    "skip_evaluations_without_effect": _RENDERING,
    "finish_blocks_once": _RENDERING,
    "keep_levels": (*_RENDERING, *_FOREACH, "checkov.terraform.graph_builder.foreach.module_handler"),
    "look_up_paths": (
        "dpath",
        "dpath.segments",
        "checkov.terraform.graph_builder.graph_components.blocks",
        f"{_CHECKS}.base_resource_value_check",
        f"{_CHECKS}.base_resource_negative_value_check",
    ),
    "copy_what_changes": (
        f"{_RENDERER}.renderer",
        f"{_GRAPH}.utils",
        "checkov.common.util.data_structures_utils",
    ),
    "compare_edges": (f"{_GRAPH}.graph_components.edge",),
    "remember_blocks": _EVALUATING,
    "remember_references": (
        *_RENDERING,
        "checkov.terraform.graph_builder.utils",
        f"{_RENDERER}.vertex_reference",
        f"{_GRAPH}.variable_rendering.vertex_reference",
    ),
    "skip_search_among_none": ("checkov.terraform.graph_builder.local_graph",),
}
"""The modules that each patch changes or relies on."""


def apply(parsed: Path) -> tuple[evaluations.Evaluations | None, list[str]]:
    """Patch the Checkov that is imported in this process; returns what it keeps of evaluations, and what was left out.

    ``parsed`` is where children leave what they parsed.
    """
    parsed.mkdir(parents=True, exist_ok=True)
    patches: dict[str, Callable[[], Any]] = {
        "cache_jsonpath_tables": cache_jsonpath_tables,
        "keep_parsed_terraform": partial(keep_parsed_terraform, parsed),
        "remember_evaluations": partial(evaluations.remember_evaluations, parsed / "evaluations.json"),
        "skip_evaluations_without_effect": rendering.skip_evaluations_without_effect,
        "finish_blocks_once": rendering.finish_blocks_once,
        "keep_levels": rendering.keep_levels,
        "look_up_paths": shortcuts.look_up_paths,
        "copy_what_changes": shortcuts.copy_what_changes,
        "compare_edges": shortcuts.compare_edges,
        "remember_blocks": shortcuts.remember_blocks,
        "remember_references": shortcuts.remember_references,
        "skip_search_among_none": shortcuts.skip_search_among_none,
    }
    fitting = {name: patch for name, patch in patches.items() if known_sources.are_known(MADE_FOR[name])}
    done = {name: patch() for name, patch in fitting.items()}
    return done.get("remember_evaluations"), sorted(patches.keys() - done)


def cache_jsonpath_tables() -> None:
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


def keep_parsed_terraform(folder: Path) -> None:
    """Parse a text of HCL once for all children of this parent; what JSON cannot hold exactly is parsed anew."""
    from checkov.terraform import parser_utils

    hcl2: Any = import_module("hcl2")
    original: Callable[[Any], Any] = hcl2.load

    def load(stream: Any) -> Any:
        text = stream.read()
        place = folder / hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        try:
            return json.loads(place.read_bytes())
        except (OSError, ValueError):
            stream.seek(0)
            parsed = original(stream)
            if is_plain(parsed) and len(os.listdir(folder)) < _MOST_PARSED:
                fresh = place.with_name(f"{place.name}.{os.getpid()}")
                fresh.write_text(json.dumps(parsed))
                fresh.rename(place)
            return parsed

    replacement = type("hcl2", (), {"load": staticmethod(load), "loads": staticmethod(hcl2.loads)})
    setattr(parser_utils, "hcl2", replacement)  # noqa: B010 - mypy: not exported
