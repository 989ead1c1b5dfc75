"""Rendering Terraform's variables: the same steps in the same order, without those that cannot change the result.

Checkov renders by walking the edges between blocks in rounds, until nearly all edges of a round were already in the
previous one; most rounds repeat earlier work, on a whole copy of the graph for each level of modules. Deliberately
absent: a different order of the walk.
"""

from pathlib import Path
from typing import Any

from resources.checkov.speedups.patch import made_for

RENDERING = (
    "checkov.terraform.graph_builder.variable_rendering.renderer",
    "checkov.common.graph.graph_builder.variable_rendering.renderer",
    "checkov.common.graph.graph_builder.local_graph",
    "checkov.common.graph.graph_builder.graph_components.blocks",
    "checkov.terraform.graph_builder.local_graph",
    "checkov.terraform.graph_builder.graph_components.blocks",
)
"""Where Checkov walks a graph and updates its blocks."""


class Memory:
    """State kept while the edges of a graph are rendered: the attributes of blocks, and evaluations without effect.

    An evaluation reads the blocks at the ends of its edges and may update the one where they start. Each update
    counts as a new version of the block, so that an evaluation without effect need not be repeated on equal versions.
    """

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._read = graph.get_vertex_attributes_by_index
        self._slots = _slots(graph.vertices)
        self._versions = [0] * (len(self._slots) + 1)
        self._attributes: dict[int, tuple[int, Any]] = {}
        self._without_effect: dict[Any, list[int]] = {}

    def attributes(self, index: int, add_hash: bool = True) -> Any:
        """The attributes of a block, for reading only."""
        if add_hash:
            return self._read(index, add_hash)
        version = self._versions[self._slots[index]]
        known = self._attributes.get(index)
        if known is None or known[0] != version:
            known = self._attributes[index] = version, self._read(index, add_hash)
        return known[1]

    def updated(self, index: int) -> None:
        self._versions[self._slots[index]] += 1

    def evaluate(self, evaluate: Any, edges: Any) -> None:
        """Evaluate edges of one label of one block, if that may change it."""
        first = edges[0]
        key = first.origin, first.label, *[edge.dest for edge in edges]
        if any(edge.origin != first.origin for edge in edges):  # groups are made by the text of origin and label
            evaluate(edges)
            return
        slots, versions = self._slots, self._versions
        before = [versions[slots[first.origin]], *[versions[slots[edge.dest]] for edge in edges]]
        if self._without_effect.get(key) == before:
            return
        evaluate(edges)
        if versions[slots[first.origin]] == before[0]:
            self._without_effect[key] = before


def _slots(vertices: Any) -> list[int]:
    """Where to count the versions of each block: blocks with a common list or map share one slot."""
    owners: dict[int, int] = {}
    slots = list(range(len(vertices)))
    for index, vertex in enumerate(vertices):
        if vertex:
            for container in _containers(vertex.attributes):
                owner = owners.setdefault(id(container), index)
                if owner != index:
                    slots[index] = slots[owner] = len(vertices)
    return slots


def _containers(value: Any) -> Any:
    seen, waiting = set(), [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, (dict, list, set)) and id(value) not in seen:
            seen.add(id(value))
            yield value
            waiting += value.values() if isinstance(value, dict) else value


@made_for(*RENDERING)
def skip_evaluations_without_effect(_kept: Path) -> None:
    """Skip evaluating edges whose end blocks are unchanged since an evaluation that had no effect."""
    from checkov.terraform.graph_builder.variable_rendering.renderer import TerraformVariableRenderer

    kind: Any = TerraformVariableRenderer
    usual_groups, usual_update = kind._evaluate_edge_groups, kind.update_evaluated_value

    def evaluate_groups(self: Any, edges_groups: Any) -> None:
        if self.run_async:
            usual_groups(self, edges_groups)
            return
        graph = self.local_graph
        if not hasattr(self, "memory"):
            self.memory = Memory(graph)
        graph.get_vertex_attributes_by_index = self.memory.attributes
        try:
            for edges in edges_groups:
                self.memory.evaluate(self.evaluate_vertex_attribute_from_edge, edges)
        finally:
            del graph.get_vertex_attributes_by_index

    def update(
        self: Any, changed_attribute_key: Any, changed_attribute_value: Any, vertex: int, *rest: Any, **named: Any
    ) -> None:
        if hasattr(self, "memory"):
            self.memory.updated(vertex)
        usual_update(self, changed_attribute_key, changed_attribute_value, vertex, *rest, **named)

    kind._evaluate_edge_groups = evaluate_groups
    kind.update_evaluated_value = update


@made_for(*RENDERING)
def finish_blocks_once(_kept: Path) -> None:
    """Stop checking whether all edges of a block are done once they were: done edges stay done."""
    from checkov.terraform.graph_builder.variable_rendering.renderer import TerraformVariableRenderer

    kind: Any = TerraformVariableRenderer
    usual = kind._update_end_vertices_indexes

    def update(self: Any, edges_to_render: Any, end_vertices_indexes: set[int]) -> None:
        usual(self, [edge for edge in edges_to_render if edge.origin not in end_vertices_indexes], end_vertices_indexes)

    kind._update_end_vertices_indexes = update


@made_for(
    *RENDERING,
    "checkov.terraform.graph_builder.foreach.abstract_handler",
    "checkov.terraform.graph_builder.foreach.module_handler",
)
def keep_levels(_kept: Path) -> None:
    """Render and connect the modules of a level again only where the previous level copied some."""
    from checkov.terraform.graph_builder.foreach.module_handler import ForeachModuleHandler
    from checkov.terraform.graph_builder.graph_components.block_types import BlockType

    kind: Any = ForeachModuleHandler
    build, render = kind._build_sub_graph, kind._render_sub_graph
    by_key, by_count = kind._create_new_resources_foreach, kind._create_new_resources_count

    def handle(self: Any, modules_blocks: list[int]) -> None:
        if not modules_blocks:
            return
        graph, current_level = self.local_graph, [None]
        modules = graph.vertices_by_module_dependency[None][BlockType.MODULE][:]
        self.rendered = None
        while modules:
            edges = graph.edges
            modules = self._render_foreach_modules_by_levels(modules_blocks, modules, current_level)
            graph._arrange_graph_data()
            if self.rendered is None:
                graph._build_edges()
                continue
            graph.edges = edges
            for edge in edges:
                graph.out_edges[edge.origin].append(edge)
                graph.in_edges[edge.dest].append(edge)

    def build_sub_graph(self: Any, blocks_to_render: list[int]) -> Any:
        if self.rendered is None:
            self.rendered = build(self, blocks_to_render)
        return self.rendered

    def render_sub_graph(sub_graph: Any, blocks_to_render: list[int]) -> None:
        if not hasattr(sub_graph, "is_rendered"):
            render(sub_graph, blocks_to_render)
            sub_graph.is_rendered = True

    def create_by_key(self: Any, *rest: Any) -> None:
        self.rendered = None
        by_key(self, *rest)

    def create_by_count(self: Any, *rest: Any) -> None:
        self.rendered = None
        by_count(self, *rest)

    kind.handle, kind._build_sub_graph = handle, build_sub_graph
    kind._render_sub_graph = staticmethod(render_sub_graph)
    kind._create_new_resources_foreach, kind._create_new_resources_count = create_by_key, create_by_count
