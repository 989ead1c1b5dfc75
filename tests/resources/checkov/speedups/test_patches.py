"""The patches make Checkov faster without changing its results: the parts that can be tested without scanning."""

import ast
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dpath
import pytest
from asteval import Interpreter
from hypothesis import example, given
from hypothesis import strategies as st

from resources.checkov.speedups import known_sources, patches, shortcuts
from resources.checkov.speedups.evaluations import Evaluations, Symbols
from resources.checkov.speedups.patch import made_for
from resources.checkov.speedups.path_lookup import PathLookup
from resources.checkov.speedups.rendering import Memory
from tests import ROOT

KEYS = st.sampled_from(["a", "b", "dynamic", "0", "1", "-1", "True", "a.b", "*", "a*", "[ab]", "", " 1"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.integers(0, 1), inner, max_size=4),
    max_leaves=12,
)


def test_every_patch_fits_the_installed_checkov() -> None:
    assert [patch.name for patch in patches.PATCHES if not patch.fits] == []


def test_every_patch_is_found_and_every_digest_is_of_use() -> None:
    assert len(patches.PATCHES) == len({patch.name for patch in patches.PATCHES}) == 13
    assert {module for patch in patches.PATCHES for module in patch.modules} == known_sources.DIGESTS.keys()


def test_a_patch_does_not_fit_what_it_was_not_made_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(known_sources.DIGESTS, "dpath.segments", "0" * 20)
    assert not shortcuts.look_up_paths.fits
    assert not known_sources.are_known(["dpath", "dpath.no_such_module"])
    assert shortcuts.compare_edges.fits


def test_a_patch_names_no_module_whose_text_nobody_read() -> None:
    with pytest.raises(KeyError, match=r"dpath\.options"):
        made_for("dpath", "dpath.options")


def test_the_digests_of_what_is_installed_are_printed() -> None:
    words = [sys.executable, "-m", "resources.checkov.speedups.known_sources"]
    expected = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert ast.literal_eval(f"{{{expected}}}") == known_sources.DIGESTS


@given(node=st.dictionaries(KEYS, VALUES, max_size=4), path=st.lists(KEYS, min_size=1, max_size=4))
@example({"a": [{"b": 1}]}, ["a", "0", "b"])
@example({"a": [1, 2]}, ["a", "-1"])
@example({"a": [1]}, ["a", "-1"])
@example({"a": {1: 2}}, ["a", "1"])
@example({"a": {True: 2}}, ["a", "True"])
def test_a_path_is_looked_up_as_dpath_would_find_it(node: dict[str, Any], path: list[str]) -> None:
    dpath.options.ALLOW_EMPTY_STRING_KEYS = True  # as Checkov sets it
    lookup = PathLookup(dpath)
    assert (_result_of(lookup.search, node, path) == {}) == (_result_of(dpath.search, node, path) == {})
    assert _result_of(lookup.get, node, path) == _result_of(dpath.get, node, path)
    text = "/".join(path)
    assert (_result_of(lookup.search, node, text) == {}) == (_result_of(dpath.search, node, text) == {})
    assert _result_of(lookup.get, node, text) == _result_of(dpath.get, node, text)


def _result_of(ask: Any, *words: Any) -> Any:
    try:
        return ask(*words)
    except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:  # dpath's search trips over some
        return type(error)


class Process:
    """The evaluations of one process, with asteval as Checkov uses it; counts the real evaluations."""

    def __init__(self, path: Path) -> None:
        self.symbols = Symbols({"upper": lambda text: text.upper(), "timestamp": iter(range(9)).__next__})
        self.kept = Evaluations(path, self.symbols)
        self.evaluated: list[str] = []

    def expression(self, text: str) -> Any:
        return self.kept.of_expression(self._evaluate, text)

    def value(self, text: str) -> Any:
        """As in Checkov: the value of an expression is evaluated once more."""
        return self.kept.of_value("twice", lambda once: self.expression(str(self.expression(once))), text)

    def _evaluate(self, text: str) -> Any:
        self.evaluated.append(text)
        interpreter = Interpreter(symtable=self.symbols, use_numpy=False, minimal=True)
        found = interpreter(text, show_errors=False)
        if interpreter.error:
            raise ValueError(str(interpreter.error[0].msg))
        return found


def test_a_known_expression_is_not_evaluated_again(tmp_path: Path) -> None:
    first, second = Process(tmp_path / "kept"), Process(tmp_path / "kept")
    texts = ["1 + 1", "upper('a')", "[1, {'a': 2}]", "1 +", "None"]
    expected = [_result_of(first.expression, text) for text in texts]
    first.kept.save()
    assert expected == [2, "A", [1, {"a": 2}], ValueError, None]
    assert [_result_of(second.expression, text) for text in texts] == expected and second.evaluated == []
    second.expression("[1, {'a': 2}]").append(3)
    assert second.expression("[1, {'a': 2}]") == [1, {"a": 2}]


def test_a_symbol_that_one_scan_defines_reaches_no_other(tmp_path: Path) -> None:
    hostile, honest = Process(tmp_path / "kept"), Process(tmp_path / "kept")
    assert [hostile.expression("size = 3"), hostile.expression("size"), hostile.value("'si' + 'ze'")] == [None, 3, 3]
    _result_of(hostile.expression, "upper.size = 4")
    _result_of(hostile.expression, "upper.size")
    hostile.kept.save()
    assert _result_of(honest.expression, "size") is ValueError
    assert _result_of(honest.value, "'si' + 'ze'") is ValueError
    _result_of(honest.expression, "upper.size")
    assert honest.evaluated[-1] == "upper.size"
    assert [honest.expression("size = 3"), honest.expression("size")] == [None, 3]


def test_a_symbol_counts_also_where_the_value_was_known_before_it(tmp_path: Path) -> None:
    process = Process(tmp_path / "kept")
    assert _result_of(process.value, "'si' + 'ze'") is ValueError and process.expression("2 + 2") == 4
    process.expression("size = 3")
    assert process.value("'si' + 'ze'") == 3
    process.evaluated.clear()
    assert process.expression("2 + 2") == 4 and process.evaluated == []


def test_a_symbol_counts_also_for_what_an_expression_evaluates(tmp_path: Path) -> None:
    process = Process(tmp_path / "kept")
    expected = {ValueError: "absent"}
    dict.update(process.symbols, try_it=lambda text: expected.get(value := _result_of(process.expression, text), value))
    assert process.expression("try_it('si' + 'ze')") == "absent"
    process.expression("size = 3")
    assert process.expression("try_it('si' + 'ze')") == 3


def test_what_changes_with_time_is_evaluated_each_time(tmp_path: Path) -> None:
    process = Process(tmp_path / "kept")
    assert [process.expression("timestamp()"), process.value("timestamp()")] == [0, 1]
    process.kept.save()
    assert not (tmp_path / "kept").exists() or "timestamp" not in (tmp_path / "kept").read_text()


class Graph:
    """Blocks with one number each; some share its list."""

    def __init__(self, shared: list[int]) -> None:
        lists = {number: [number] for number in shared}
        self.vertices = [SimpleNamespace(attributes={"value": lists[number]}) for number in shared]
        self.rendered = 0

    def get_vertex_attributes_by_index(self, index: int, add_hash: bool) -> dict[str, int]:
        return {"value": self.vertices[index].attributes["value"][0]}

    def render(self, groups: list[list[tuple[int, int]]], memory: Memory | None) -> list[int]:
        def evaluate(edges: list[Any]) -> None:
            self.rendered += 1
            read = memory.attributes if memory else self.get_vertex_attributes_by_index
            value = self.vertices[edges[0].origin].attributes["value"]
            rendered = max(value[0], *(read(edge.dest, False)["value"] for edge in edges))
            if rendered != value[0]:
                if memory:
                    memory.updated(edges[0].origin)
                value[0] = rendered

        for group in groups:
            edges = [SimpleNamespace(origin=origin, dest=dest, label="a") for origin, dest in group]
            if memory:
                memory.evaluate(evaluate, edges)
            else:
                evaluate(edges)
        return [vertex.attributes["value"][0] for vertex in self.vertices]


SHARED = st.lists(st.integers(0, 5), min_size=4, max_size=4)
GROUP = st.tuples(st.integers(0, 3), st.lists(st.integers(0, 3), min_size=1, max_size=2))


@given(shared=SHARED, groups=st.lists(GROUP, max_size=4))
@example([0, 1, 2, 3], [(0, [1]), (1, [2]), (2, [3])])
@example([0, 1, 1, 3], [(0, [1]), (2, [3])])
def test_skipped_evaluations_would_have_changed_nothing(shared: list[int], groups: list[Any]) -> None:
    rounds = [[(origin, dest) for dest in dests] for origin, dests in groups] * 4
    graph, plain = Graph(shared), Graph(shared)
    assert graph.render(rounds, Memory(graph)) == plain.render(rounds, None)
    assert graph.rendered <= plain.rendered


def test_an_evaluation_without_effect_is_done_once() -> None:
    graph = Graph([3, 1, 2])
    graph.render([[(0, 1)], [(0, 2)]] * 5, Memory(graph))
    assert graph.rendered == 2
