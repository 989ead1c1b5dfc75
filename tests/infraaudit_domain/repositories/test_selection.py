"""What a project uses of a repository: certain things alone, and of several equal ones none."""

import time
from collections.abc import Mapping

import pytest

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.repositories.layout import Kustomization, Part, Tree, is_dockerfile
from infraaudit_domain.repositories.selection import Found, Selection, Wanted, select
from infraaudit_domain.scans.expectation import is_known_by_name, kind_of

WORKLOAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {}\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {}\n"
DOCKERFILE = "FROM scratch\nCOPY . /\n"


def tree(files: Mapping[str, str], **more: Kustomization) -> Tree:
    kustomizations = {name.replace("__", "/"): one for name, one in more.items()}
    return Tree(frozenset(files), frozenset(), {path: text.encode() for path, text in files.items()}, kustomizations)


def of(selection: Selection, path: str) -> Found:
    return next(one for one in selection.found if one.path == path)


MISSION = {
    "docker/Dockerfile": DOCKERFILE,
    "src/tests/test_app.py": "",
    "configs/kubernetes/deployment.yaml": WORKLOAD,
    "configs/kubernetes/service.yaml": SERVICE,
    "scanner/checkov_config.yaml": "framework: [terraform]\n",
    "configs/prometheus/prometheus.yml": "global: {}\n",
    "configs/prometheus/grafana_dashboard.json": '{"panels": [], "schemaVersion": 39}',
}


def test_the_layout_of_the_mission_needs_no_path() -> None:
    found = select(tree(MISSION), Wanted())
    assert (found.paths, found.missing) == ({}, ())
    used = {one.path for one in found.found if one.used}
    assert used == {*MISSION} - {
        "src/tests/test_app.py", "configs/kubernetes/deployment.yaml", "configs/kubernetes/service.yaml",
    } | {"src/tests", "configs/kubernetes"}  # fmt: skip


def test_another_layout_is_written_as_paths() -> None:
    files = {"Dockerfile": DOCKERFILE, "tests/unit/test_a.py": "", "k8s/web.yaml": WORKLOAD, "k8s/service.yaml": SERVICE,
             ".checkov.yaml": "", "monitoring/prometheus.yaml": "scrape_configs: []\n"}  # fmt: skip
    found = select(tree(files), Wanted())
    assert found.paths == {
        "dockerfile": "Dockerfile", "tests": "tests", "manifests": ("k8s",), "checkov_config": ".checkov.yaml",
        "prometheus": "monitoring/prometheus.yaml",
    }  # fmt: skip
    assert found.missing == ()


def test_terraform_alone_is_audited_and_nothing_else_is_asked_for() -> None:
    found = select(tree({"main.tf": "", "modules/a/main.tf": "", "README.md": ""}), Wanted())
    assert [(one.part, one.kind, one.used) for one in found.found] == [("scan", "Terraform, 2 files", True)]
    assert (found.paths, found.missing) == ({}, ("it has no Dockerfile",))


def test_of_several_images_none_is_taken_until_one_is_chosen() -> None:
    files = {f"src/{name}/Dockerfile": "FROM scratch\nCOPY app.py /\n" for name in ("cart", "web")}
    files |= {"src/cart/app.py": "", "src/web/app.py": "", "tests/test_a.py": "", "k8s/web.yaml": WORKLOAD}
    found = select(tree(files), Wanted())
    assert "dockerfile" not in found.paths
    assert any("--dockerfile" in why for why in found.missing)
    assert of(found, "src/web/Dockerfile").remark.startswith("one of 2")
    chosen = select(tree(files), Wanted(dockerfile="src/web/Dockerfile"))
    assert (chosen.paths["dockerfile"], chosen.paths["context"]) == ("src/web/Dockerfile", "src/web")
    assert chosen.missing == () and of(chosen, "src/web/Dockerfile").used


@pytest.mark.parametrize(
    "path", ["examples/a/Dockerfile", "vendor/x/Dockerfile", "tests/e2e/Dockerfile", ".github/Dockerfile"]
)
def test_what_lies_aside_is_shown_and_not_taken(path: str) -> None:
    found = select(tree({path: DOCKERFILE}), Wanted())
    assert "dockerfile" not in found.paths and "name it" in of(found, path).remark
    assert select(tree({path: DOCKERFILE}), Wanted(dockerfile=path)).paths["dockerfile"] == path


def test_a_link_is_no_dockerfile() -> None:
    found = select(Tree(frozenset({"a"}), frozenset({"Dockerfile"})), Wanted())
    assert not of(found, "Dockerfile").used and "link" in of(found, "Dockerfile").remark
    with pytest.raises(ConfigurationError, match="--dockerfile"):
        select(Tree(frozenset({"a"}), frozenset({"Dockerfile"})), Wanted(dockerfile="Dockerfile"))


def test_tests_of_other_languages_are_named_and_not_run() -> None:
    files = {"Dockerfile": DOCKERFILE, "pkg/a_test.go": "", "pkg/api/b_test.go": "", "k8s/web.yaml": WORKLOAD}
    found = select(tree(files), Wanted())
    assert of(found, "pkg").kind == "Go, 2 files" and "a command that you name" in of(found, "pkg").remark
    assert found.missing == ("it has no tests in pytest",)


@pytest.mark.parametrize("number", [1, 2])
def test_of_folders_with_tests_none_is_taken_until_one_is_chosen(number: int) -> None:
    files = {"Dockerfile": DOCKERFILE, "k8s/web.yaml": WORKLOAD, "b/tests/test_a.py": ""}
    files |= {f"a/tests/test_{one}.py": "" for one in range(number)}
    found = select(tree(files), Wanted())
    assert "tests" not in found.paths and not any(one.used for one in found.found if one.part is Part.TESTS)
    assert found.missing == ("it has tests in several folders: choose by --tests",)
    chosen = select(tree(files), Wanted(tests="b/tests"))
    assert (chosen.paths["tests"], chosen.missing) == ("b/tests", ())


def test_the_configuration_of_a_scan_is_one_of_the_whole_repository() -> None:
    nested = select(tree({"main.tf": "", "modules/a/.checkov.yaml": ""}), Wanted())
    assert nested.paths == {} and "not at the root" in of(nested, "modules/a/.checkov.yaml").remark
    both = select(tree({"main.tf": "", "modules/a/.checkov.yaml": "", ".checkov.yml": ""}), Wanted())
    assert both.paths == {"checkov_config": ".checkov.yml"}
    equal = select(tree({"main.tf": "", ".checkov.yaml": "", ".checkov.yml": ""}), Wanted())
    assert equal.paths == {} and of(equal, ".checkov.yml").remark.startswith("one of 2,")


def test_of_equal_files_of_prometheus_none_is_taken() -> None:
    found = select(tree({f"{one}/prometheus.yml": "global: {}\n" for one in "ab"}), Wanted())
    assert found.paths == {} and of(found, "a/prometheus.yml").remark.startswith("one of 2,")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("Dockerfile", True), ("app.Dockerfile", True), ("a/Containerfile.dev", True), ("Dockerfile-web", True),
     ("dockerfile.dockerfile", True), ("Dockerfile.dockerignore", False), (".Dockerfile", False), ("Dockerfile.", False),
     ("mydockerfile", False), ("Dockerfiles", False), ("containerfile.Containerignore", False)],
)  # fmt: skip
def test_names_of_dockerfiles(name: str, is_one: bool) -> None:
    assert is_dockerfile(name) is is_one


@pytest.mark.parametrize("times", [23, 90])
def test_names_made_to_be_slow_are_judged_in_time(times: int) -> None:
    name = "dockerfile." * times
    began = time.process_time()
    for _ in range(2_000):
        (
            is_dockerfile(f"{name}dockerignore"),
            kind_of(f"{name}dockerignore"),
            is_known_by_name("dockerfile", f"{name}\n"),
        )
    assert time.process_time() - began < 0.3


def test_the_overlay_of_production_is_taken_and_bases_and_components_are_not_offered() -> None:
    overlay = Kustomization(frozenset({"k8s/base"}))
    found = select(
        tree(
            {"k8s/base/web.yaml": WORKLOAD},
            k8s__base=Kustomization(frozenset({"k8s/base/web.yaml"})),
            k8s__production=overlay,
            k8s__staging=overlay,
            k8s__extra=Kustomization(is_component=True),
        ),
        Wanted(),
    )
    assert [one.path for one in found.found] == ["k8s/production", "k8s/staging"]
    assert found.paths["manifests"] == ("k8s/production",)


def test_of_equal_overlays_none_is_taken_and_a_refused_one_says_why() -> None:
    found = select(
        tree({"x": ""}, one=Kustomization(), two=Kustomization(), three=Kustomization(fault="uses a")), Wanted()
    )
    assert "manifests" not in found.paths
    assert of(found, "three").remark == "uses a" and of(found, "one").remark.startswith("one of 2")


def test_charts_and_compose_files_are_said_not_to_be_delivered() -> None:
    files = {"chart/Chart.yaml": "name: a\n", "chart/templates/web.yaml": WORKLOAD, "compose.yaml": "services: {}\n"}
    found = select(tree(files), Wanted())
    assert [one.path for one in found.found] == ["chart", "compose.yaml"]
    assert "cannot be delivered yet" in of(found, "chart").remark


def test_in_a_folder_with_other_yaml_manifests_are_named_one_by_one() -> None:
    files = {"deploy/web.yaml": WORKLOAD, "deploy/service.yaml": SERVICE, "deploy/values.yaml": "replicas: 2\n"}
    found = select(tree(files), Wanted())
    assert found.paths["manifests"] == ("deploy/service.yaml", "deploy/web.yaml")
    assert of(found, "deploy").used


@pytest.mark.parametrize("wanted", [Wanted("nope"), Wanted(tests="nope"), Wanted(manifests=("nope",))])
def test_what_is_wanted_has_to_be_there(wanted: Wanted) -> None:
    with pytest.raises(ConfigurationError, match="has no nope"):
        select(tree({"a": ""}), wanted)


def test_of_very_many_things_some_are_listed_in_time() -> None:
    files = dict.fromkeys((f"a{number}/Dockerfile" for number in range(5_000)), "")
    began = time.process_time()
    found = select(Tree(frozenset(files)), Wanted("a4999/Dockerfile")).found
    assert time.process_time() - began < 2
    assert (len(found), found[0].path, found[-1].kind) == (51, "a4999/Dockerfile", "4950 more")
