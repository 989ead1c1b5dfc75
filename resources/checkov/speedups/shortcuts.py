"""Faster versions of small functions that Checkov calls a million times per scan, with the same answers.

Each is pure, so its answers may be cached for the scan. Deliberately absent: evaluating expressions, which has side
effects (see evaluations.py).
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from resources.checkov.speedups.evaluations import EVALUATING
from resources.checkov.speedups.patch import made_for
from resources.checkov.speedups.path_lookup import PathLookup
from resources.checkov.speedups.rendering import RENDERING

_UNCHANGEABLE = (str, int, float, bool, type(None))
_MOST_KEPT = 100_000


@made_for(
    "dpath",
    "dpath.segments",
    "checkov.terraform.graph_builder.graph_components.blocks",
    "checkov.terraform.checks.resource.base_resource_value_check",
    "checkov.terraform.checks.resource.base_resource_negative_value_check",
)
def look_up_paths(_kept: Path) -> None:
    """Look up a path where it names exactly one value."""
    from checkov.terraform.checks.resource import base_resource_negative_value_check, base_resource_value_check
    from checkov.terraform.graph_builder.graph_components import blocks

    for module in (blocks, base_resource_value_check, base_resource_negative_value_check):
        setattr(module, "dpath", PathLookup(module.dpath))  # noqa: B010 - mypy: a module


@made_for(
    "checkov.terraform.graph_builder.variable_rendering.renderer",
    "checkov.common.graph.graph_builder.utils",
    "checkov.common.util.data_structures_utils",
)
def copy_what_changes(_kept: Path) -> None:
    """Skip copying texts and numbers while variables are rendered and written back."""
    for name in (
        "checkov.terraform.graph_builder.variable_rendering.renderer",
        "checkov.common.graph.graph_builder.utils",
    ):
        module: Any = import_module(name)
        module.pickle_deepcopy = _copying(module.pickle_deepcopy)


def _copying(usual: Any) -> Any:
    def copy(obj: Any) -> Any:
        return obj if type(obj) in _UNCHANGEABLE else usual(obj)

    return copy


@made_for("checkov.common.graph.graph_builder.graph_components.edge")
def compare_edges(_kept: Path) -> None:
    """Compare edges without formatting each as text; the hash is unchanged, because the order of sets is the order of
    the walk."""
    from checkov.common.graph.graph_builder.graph_components.edge import Edge

    def edge_hash(self: Any) -> int:
        return hash(f"[{self.origin} -({self.label})-> {self.dest}]")

    def are_equal(self: Any, other: Any) -> bool:
        return self is other or (
            isinstance(other, Edge)
            and self.origin == other.origin
            and self.dest == other.dest
            and str(self.label) == str(other.label)
        )

    kind: Any = Edge
    kind.__hash__, kind.__eq__ = edge_hash, are_equal


@made_for(*EVALUATING)
def remember_blocks(_kept: Path) -> None:
    """Find the variables in a text once."""
    evaluate_terraform: Any = import_module("checkov.terraform.graph_builder.variable_rendering.evaluate_terraform")
    usual = evaluate_terraform.find_var_blocks
    known: dict[str, Any] = {}

    def find_var_blocks(value: str) -> Any:
        if "$" not in value:
            return []
        found = known.get(value)
        if found is None:
            found = usual(value)
            _keep(known, value, [(type(block), block.full_str, block.var_only) for block in found])
            return found
        return [kind(full, only) for kind, full, only in found]

    evaluate_terraform.find_var_blocks = find_var_blocks


@made_for(
    *RENDERING,
    "checkov.terraform.graph_builder.utils",
    "checkov.terraform.graph_builder.variable_rendering.vertex_reference",
    "checkov.common.graph.graph_builder.variable_rendering.vertex_reference",
)
def remember_references(_kept: Path) -> None:
    """Find the blocks that a text refers to once, for the same aliases and types of resources."""
    from checkov.terraform.graph_builder import utils

    usual: Any = utils.get_referenced_vertices_in_str_value
    known: dict[str, Any] = {}
    asked: tuple[Any, list[str]] = {}, []

    def find(str_value: str, aliases: Any, resources_types: list[str]) -> Any:
        nonlocal asked
        if (asked[0] is not aliases and asked[0] != aliases) or asked[1] != resources_types:
            known.clear()
            asked = aliases, list(resources_types)
        found = known.get(str_value)
        if found is None:
            found = usual(str_value, aliases, resources_types)
            _keep(known, str_value, found)
        return list(found)

    utils.get_referenced_vertices_in_str_value = find


@made_for("checkov.terraform.graph_builder.local_graph")
def skip_search_among_none(_kept: Path) -> None:
    """Skip the search for a best match where there is no choice."""
    from checkov.terraform.graph_builder.local_graph import TerraformLocalGraph

    kind: Any = TerraformLocalGraph
    usual = kind._find_vertex_with_best_match

    def find(self: Any, relevant_vertices_indexes: Any, *rest: Any, **named: Any) -> int:
        return usual(self, relevant_vertices_indexes, *rest, **named) if relevant_vertices_indexes else -1

    kind._find_vertex_with_best_match = find


def _keep(known: dict[str, Any], key: str, value: Any) -> None:
    if len(known) >= _MOST_KEPT:
        known.clear()
    known[key] = value
