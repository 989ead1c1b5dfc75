"""Small functions of Checkov that are called a million times a scan: the same answers, sooner.

Each is pure, so that an answer may be kept for the scan. Deliberately absent: evaluating expressions, which is not
(see evaluations.py).
"""

from importlib import import_module
from typing import Any

from resources.checkov.speedups.path_lookup import PathLookup

_UNCHANGEABLE = (str, int, float, bool, type(None))
_MOST_KEPT = 100_000


def look_up_paths() -> None:
    """Look up a path where it names one place."""
    from checkov.terraform.checks.resource import base_resource_negative_value_check, base_resource_value_check
    from checkov.terraform.graph_builder.graph_components import blocks

    for module in (blocks, base_resource_value_check, base_resource_negative_value_check):
        setattr(module, "dpath", PathLookup(module.dpath))  # noqa: B010 - mypy: a module


def copy_what_changes() -> None:
    """Copy no text and no number while variables are rendered and written back."""
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


def compare_edges() -> None:
    """Compare edges without making a text of each; the hash stays, as the order of sets is the order of the walk."""
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


def remember_blocks() -> None:
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


def remember_references() -> None:
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


def skip_search_among_none() -> None:
    """Find no best match where there is nothing to choose from."""
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
