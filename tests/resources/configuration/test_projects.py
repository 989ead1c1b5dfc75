import json
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infraaudit_domain.dagster_names import claimed_names
from infraaudit_domain.delivery.builds import BuildLimits, Egress, Isolation
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.projects import Environment, Paths, Project
from infraaudit_domain.reporting.recipients import Address
from resources.configuration import projects as module
from resources.configuration.projects import load_projects, read_projects


def _file(folder: Path, text: str) -> Path:
    path = folder / "projects.yaml"
    path.write_text(text)
    return path


def test_defaults_are_the_missions_layout(tmp_path: Path) -> None:
    (project,) = read_projects(_file(tmp_path, "projects: [{name: shop, url: ../shop}]"))
    assert project.paths == Paths()
    assert project.paths.dockerfile == "docker/Dockerfile"
    assert project.url == str(tmp_path.parent / "shop")
    assert project.environment.name == "production"


@pytest.mark.parametrize("url", ["https://example.org/a.git", "ssh://git@example.org/a", "git@example.org:a/b.git"])
def test_remote_urls_stay_as_they_are(tmp_path: Path, url: str) -> None:
    assert read_projects(_file(tmp_path, f"projects: [{{name: a, url: '{url}'}}]"))[0].url == url


def test_every_fault_is_listed_with_its_key(tmp_path: Path) -> None:
    text = """
projects:
  - {name: Shop, url: x}
  - {name: b, url: '--upload-pack=x', branch: main}
  - {name: c, url: x, paths: {dockerfile: ../Dockerfile, tests: /etc}}
  - {name: d, url: 'ext::sh -c id', environments: []}
"""
    with pytest.raises(ConfigurationError) as caught:
        read_projects(_file(tmp_path, text))
    keys = {line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:]}
    assert keys == {
        "projects[0].name",
        "projects[1].url",
        "projects[1].branch",
        "projects[2].paths.dockerfile",
        "projects[2].paths.tests",
        "projects[3].url",
        "projects[3].environments",
    }


@pytest.mark.parametrize("text", ["projects: [", "- just a list", "projects: [{name: a, url: x}, {name: a, url: y}]"])
def test_a_file_that_is_no_projects_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="projects.yaml"):
        read_projects(_file(tmp_path, text))


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="infraaudit projects add"):
        read_projects(tmp_path / "projects.yaml")


@pytest.mark.parametrize("url", ["~nobody-of-that-name/shop", '"a\\0b"'])
def test_an_address_that_is_no_path_here_stops_no_other_project(tmp_path: Path, url: str) -> None:
    path = _file(tmp_path, f"projects:\n- {{name: odd, url: {url}}}\n- {{name: good, url: x}}\n")
    odd, good = load_projects(path)
    assert "no path on this machine" in odd.fault and good.fault == ""


def test_the_shipped_file_shows_every_field(tmp_path: Path) -> None:
    shown = Path("configs/projects.yaml").read_text().partition("All fields. name and url")[2].splitlines()[2:]
    entry = "\n".join(["projects:", *(line.removeprefix("#") for line in shown)])
    (project,) = read_projects(_file(tmp_path, entry))
    assert _as_usual(project, Project("shop", "https://git.example.org/shop.git")) == {"name", "url", "fault"}
    assert _as_usual(project.environments[1], Environment()) == {"name"}
    assert _as_usual(project.paths, Paths()) == set()


def _as_usual(shown: Any, usual: Any) -> set[str]:
    names = [field.name for field in fields(usual)]
    return {name for name in names if getattr(shown, name) == getattr(usual, name)}


def test_how_a_project_builds_is_read(tmp_path: Path) -> None:
    (tmp_path / "projects.yaml").write_text(
        "projects:\n"
        "  - {name: plain, url: https://example.org/a.git}\n"
        "  - name: shop\n"
        "    url: https://example.org/b.git\n"
        "    build_isolation: none\n"
        "    build_egress: ['pypi.org:443']\n"
        "    build_limits: {memory_megabytes: 4096, cpus: 1.5}\n"
        "    build_secrets: {npmrc: /etc/npmrc}\n"
        "    base_images: [registry.example.org/base:1]\n"
    )
    plain, shop = (project.build for project in read_projects(tmp_path / "projects.yaml"))
    assert (plain.isolation, plain.egress, plain.limits) == (None, Egress.PUBLIC, BuildLimits())
    assert (shop.isolation, shop.egress) == (Isolation.NONE, ("pypi.org:443",))
    assert shop.limits == BuildLimits(memory_megabytes=4096, cpus=1.5)
    assert (shop.secrets, shop.base_images) == ({"npmrc": "/etc/npmrc"}, ("registry.example.org/base:1",))


@pytest.mark.parametrize(
    "entry",
    ["build_isolation: yes", "build_egress: all", "build_egress: ['pypi.org']", "build_limits: {memory_megabytes: 1}",
     "build_secrets: {one: relative}", "build_secrets: {'a,src=/b': /c}", "base_images: ['--all-tags']"],
)  # fmt: skip
def test_what_a_box_cannot_be_is_refused_with_its_key(tmp_path: Path, entry: str) -> None:
    (tmp_path / "projects.yaml").write_text(
        f"projects:\n  - name: shop\n    url: https://example.org/a.git\n    {entry}\n"
    )
    with pytest.raises(ConfigurationError, match=entry.partition(":")[0]):
        read_projects(tmp_path / "projects.yaml")


def test_what_a_project_adopts_and_uses_counts_in_each_of_its_environments(tmp_path: Path) -> None:
    text = """
projects:
  - name: shop
    url: x
    adopt: [Deployment/web]
    uses: [Secret/database]
    environments: [{name: staging}, {name: production, uses: [ConfigMap/site], adopt: [Service/web]}]
"""
    (project,) = read_projects(_file(tmp_path, text))
    staging, production = project.environments
    assert (staging.adopt, staging.uses) == (("Deployment/web",), ("Secret/database",))
    assert production.adopt == ("Deployment/web", "Service/web")
    assert production.uses == ("Secret/database", "ConfigMap/site")
    with pytest.raises(ConfigurationError, match="adopt"):
        read_projects(_file(tmp_path, "projects: [{name: a, url: x, adopt: ['../web']}]"))


def test_a_project_whose_names_clash_in_dagster_is_at_fault_alone(tmp_path: Path) -> None:
    file = tmp_path / "projects.yaml"
    file.write_text(
        "projects:\n"
        "  - {name: good, url: /x, environments: [{name: s}, {name: b_pipeline}, {name: u-commits}]}\n"
        "  - {name: e1, url: /x, environments: [{name: t-u}, {name: t_u}]}\n"
        "  - {name: e2, url: /x, environments: [{name: t}, {name: t}]}\n"
        "  - {name: good-to-b, url: /x}\n"
        "  - {name: good_to_u, url: /x}\n"
        "  - {name: project_5, url: /x}\n"
        "  - {name: project-5, url: /x}\n"
        "  - {name: last, url: /x}\n"
    )
    found = load_projects(file)
    faults = {project.name: project.fault for project in found}
    assert [name for name, fault in faults.items() if not fault] == ["good", "project_5", "last"]
    assert "environments are named t-u and t_u" in faults["e1"] and "named t and t (" in faults["e2"]
    assert "good_to_b_pipeline" in faults["project_4"] and "good_to_u_commits" in faults["project_6"]
    assert "named project_5 and project-5" in faults["project_7"] and "rename one" in faults["project_7"]
    assert "good-to-b and good, or" in faults["project_4"]
    names = [name for project in found for name in claimed_names(project)]
    assert len(names) == len(set(names)), "Dagster would refuse all of them"
    with pytest.raises(ConfigurationError, match="environments are named t-u and t_u .* rename one"):
        read_projects(file)


def test_names_that_are_one_only_when_joined_are_no_clash(tmp_path: Path) -> None:
    """A volume has its project's label, and a lock that two share makes them take turns: nothing is refused that works."""
    file = tmp_path / "projects.yaml"
    file.write_text(
        "projects:\n"
        "  - {name: a-b, url: /x, environments: [{name: c}]}\n"
        "  - {name: a, url: /x, environments: [{name: b-c}]}\n"
    )
    assert [project.fault for project in load_projects(file)] == ["", ""]


def test_many_projects_are_compared_with_each_other_in_linear_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counted(project: Project) -> frozenset[str]:
        asked.append(project.name)
        return claimed_names(project)

    monkeypatch.setattr(module, "claimed_names", counted)
    file = tmp_path / "projects.yaml"
    file.write_text(json.dumps({"projects": [{"name": f"p{number}", "url": "/x"} for number in range(300)]}))
    assert len(load_projects(file)) == len(asked) == 300


def test_addresses_by_owner_and_what_they_collect_are_read(tmp_path: Path) -> None:
    given = "projects: [{name: a, url: x, notify: ['json://a'], routes: {'@Team': ['json://b', {url: 'json://c', digest: daily, at_once: failure}]}}]"
    (project,) = read_projects(_file(tmp_path, given))
    assert project.notify == (Address("json://a"),)
    assert project.routes == {
        "@Team": (Address("json://b"), Address("json://c", digest=timedelta(days=1), at_once="failure"))
    }


@pytest.mark.parametrize(
    ("routes", "fault"),
    [
        ("{'@a': [x], '@A': [y]}", "names @a more than once"),
        ("{'two words': [x]}", "match pattern"),
        ("{'@a': [{url: x, digest: 5m}]}", "'hourly' or 'daily'"),
        ("{'@a': x}", "should be a valid"),
    ],
)
def test_routes_that_cannot_be_followed_are_refused(tmp_path: Path, routes: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        read_projects(_file(tmp_path, f"projects: [{{name: a, url: x, routes: {routes}}}]"))
