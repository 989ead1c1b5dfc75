"""What is rendered of a tree, from which files, and what a hostile kustomization is refused for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.lifecycles.causes import Circumstances
from infraaudit_domain.lifecycles.readings import PartReading, Reading, proves_lack
from infraaudit_domain.scans.evidence import Evidence
from infraaudit_domain.scans.findings import Finding
from infraaudit_domain.scans.renderings import (
    Unit,
    as_rendered,
    chart_units,
    kustomization_files,
    kustomization_units,
    rendered_by,
    transformer_files,
)

OVERLAY, BASE = "prod/kustomization.yaml", "base/kustomization.yaml"
TREE = {OVERLAY, BASE, "base/pod.yaml", "prod/patch.yaml", "prod/app.properties", "labels.yaml"}


def units(documents: dict[str, object], tree: set[str] = TREE, most: int = 100) -> dict[str, Unit]:
    settings = {"labels.yaml": [{"apiVersion": "builtin", "kind": "LabelTransformer"}]}
    return {unit.path: unit for unit in kustomization_units(documents, settings, tree, most)}


def overlay(**document: object) -> Unit:
    return units({OVERLAY: document, BASE: {"resources": ["pod.yaml"]}})[OVERLAY]


def test_a_unit_reads_all_that_its_rendering_depends_on() -> None:
    unit = overlay(
        resources=["../base"],
        patches=[{"path": "patch.yaml"}],
        configMapGenerator=[{"name": "a", "files": ["a=app.properties"]}],
        transformers=["../labels.yaml"],
    )
    assert (unit.fault, unit.reads, unit.patches) == ("", TREE, {"prod/patch.yaml"})
    assert unit.made_of == {BASE} and unit.collects is None
    assert units({BASE: {"resources": ["pod.yaml"]}})[BASE].collects == ("base/pod.yaml",)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"resources": ["../../etc"]}, "leads out of the commit"),
        ({"resources": ["https://example.org/a.yaml"]}, "only files of the commit are allowed"),
        ({"resources": ["github.com/a/b"]}, "only files of the commit are allowed"),
        ({"resources": ["."]}, "prod/kustomization.yaml includes itself"),
        ({"resources": ["link.yaml"]}, "not in the commit or is a link"),
        ({"configMapGenerator": [{"name": "a", "files": ["../../../etc/passwd"]}]}, "leads out of the commit"),
        ({"helmCharts": [{"name": "a"}]}, "uses helmCharts, which is not allowed"),
        ({"transformers": ["../base/pod.yaml"]}, "uses transformers, which is not allowed"),
        ({"generators": ["patch.yaml"]}, "uses generators, which is not allowed"),
    ],
)
def test_what_is_not_rendered_says_why(document: dict[str, object], fault: str) -> None:
    assert fault in overlay(**document).fault


def test_a_kustomization_of_too_many_files_or_levels_is_not_rendered() -> None:
    tree = {f"many/{n}.txt" for n in range(200)} | {"many/kustomization.yaml"}
    generator = [{"name": "a", "files": [f"{n}.txt" for n in range(200)]}]
    assert (
        "more than 100 files"
        in units({"many/kustomization.yaml": {"secretGenerator": generator}}, tree)["many/kustomization.yaml"].fault
    )
    deep = {f"{n}/kustomization.yaml": {"resources": [f"../{n + 1}"]} for n in range(60)}
    assert "levels deep" in units(deep, set(deep))["0/kustomization.yaml"].fault
    # Each level names the next one twice: that must not double the work from level to level.
    twice = {f"{n}/kustomization.yaml": {"resources": [f"../{n + 1}", f"../{n + 1}/."]} for n in range(40)}
    assert units(twice, set(twice))["0/kustomization.yaml"].fault
    circle = {"a/kustomization.yaml": {"resources": ["../b"]}, "b/kustomization.yaml": {"bases": ["../a"]}}
    assert all("includes itself" in unit.fault for unit in units(circle, set(circle)).values())


def test_only_what_can_be_built_by_itself_is_a_unit() -> None:
    documents: dict[str, object] = {
        "a/kustomization.yaml": {"kind": "Component"},
        "b/kustomization.yaml": {"kind": "Kustomization", "spec": {}, "apiVersion": "kustomize.toolkit.fluxcd.io/v1"},
        ".c/kustomization.yaml": {},
        "d/kustomization.yaml": None,
        "e/kustomization.yaml": ValueError("line 3"),
        "f/Kustomization": ["a"],
    }
    found = units(documents, set(documents))
    assert {path: unit.fault for path, unit in found.items()} == {
        "e/kustomization.yaml": "e/kustomization.yaml cannot be read: line 3",
        "f/Kustomization": "f/Kustomization is no mapping",
    }


def test_charts_inside_of_charts_and_templates_are_rendered_with_them() -> None:
    tree = {
        "web/Chart.yaml", "web/templates/kustomization.yaml", "web/charts/db/Chart.yaml", "web/charts/db/templates/a.yaml",
        "other/charts/Chart.yaml", ".github/chart/Chart.yaml",
    }  # fmt: skip
    found = {unit.path: unit for unit in chart_units(tree)}
    assert found.keys() == {"web/Chart.yaml", "other/charts/Chart.yaml"}
    assert found["web/Chart.yaml"].reads == {path for path in tree if path.startswith("web/")}
    assert kustomization_files(tree) == []


@given(st.text(), st.text(min_size=1))
def test_the_name_of_a_rendered_resource_says_what_renders_it(resource: str, by: str) -> None:
    assert rendered_by(as_rendered("Pod.default.web", by)) == by
    assert rendered_by(resource) is None or "rendered by" in resource


@given(st.dictionaries(st.sampled_from(["a/kustomization.yaml", "b/Kustomization"]), st.none() | st.text() | st.dictionaries(
    st.sampled_from(["resources", "transformers", "kind", "patches", "images"]),
    st.none() | st.text() | st.lists(st.none() | st.text() | st.dictionaries(st.just("path"), st.integers() | st.text())))))  # fmt: skip
def test_any_document_makes_units_or_words(documents: dict[str, object]) -> None:
    transformer_files(documents)
    for unit in units(documents, set(documents)).values():
        assert unit.path in unit.reads


def test_a_rendered_resource_is_followed_when_its_file_or_its_kustomization_is_renamed() -> None:
    finding = Finding("kubernetes", "CKV_K8S_1", "", "base/pod.yaml", as_rendered("Pod.default.a", OVERLAY), 1, 2)
    followed = finding.after({OVERLAY: "eu/kustomization.yaml", "base/pod.yaml": "base/web.yaml"})
    assert (followed.file_path, followed.resource) == (
        "base/web.yaml",
        as_rendered("Pod.default.a", "eu/kustomization.yaml"),
    )
    assert finding.after({}) == finding


def test_what_was_not_rendered_proves_nothing_of_what_arose_in_it() -> None:
    finding = Finding("kubernetes", "CKV_K8S_1", "", "base/pod.yaml", as_rendered("Pod.default.a", OVERLAY), 1, 2)
    plain = replace(finding, resource="Pod.default.a")
    proof = Evidence(1, {"base/pod.yaml": {"Pod.default.a": frozenset({"CKV_K8S_1"})}})

    def reading(*gaps: str) -> Reading:
        parts = {"kubernetes": PartReading(frozenset(gaps), proof)}
        return Reading("a" * 40, 0, {}, parts, Circumstances("3", "c"))

    assert proves_lack(reading(), finding) and proves_lack(reading(), plain)
    assert not proves_lack(reading(OVERLAY), finding), "its kustomization was not rendered"
    assert proves_lack(reading(OVERLAY), plain), "its file was read"
    assert proves_lack(reading("base/pod.yaml"), finding), "it was rendered, whatever the plain file is"
