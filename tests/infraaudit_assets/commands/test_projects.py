"""`infraaudit projects add` and `check` as a user calls them, on real repositories."""

import json
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from infraaudit_assets.commands.options import Format
from infraaudit_assets.commands.project_adding import NOT_WRITTEN, Request, add_repository
from infraaudit_assets.commands.project_checking import check_projects
from infraaudit_assets.commands.projects import add, list_projects
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.repositories.selection import Wanted
from resources.configuration.projects import add_project
from tests.conftest import Repository
from tests.infraaudit_domain.repositories.test_selection import MISSION

BEFORE = "# ours\nprojects:\n- name: first   # kept\n  url: https://example.org/first.git\n# the end\n"


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The projects file of an installation without engine and cluster."""
    path = tmp_path / "projects.yaml"
    path.write_text(BEFORE)
    path.chmod(0o640)
    for name, value in {"PROJECTS": path, "HOME": tmp_path / "home", "ENGINE": "none", "TARGET": "none"}.items():
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(value))
    monkeypatch.delenv("INFRAAUDIT_NOTIFY", raising=False)
    settings.cache_clear()
    yield path
    settings.cache_clear()


def added(request: Request, how: Format = Format.TABLE) -> int:
    with pytest.raises(typer.Exit) as ended:
        add_repository(request, how)
    return int(ended.value.exit_code)


def test_without_a_yes_the_entry_is_shown_and_nothing_is_written(
    repository: Repository, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.write(MISSION, "first")
    assert added(Request(str(repository.path))) == NOT_WRITTEN
    shown = capsys.readouterr().out
    assert listed.read_text() == BEFORE and "Nothing was written" in shown and "name: repository" in shown
    assert not list((listed.parent / "home").glob("*/*")), "no mirror stays behind"


def test_with_yes_the_entry_is_appended_and_the_rest_stays(
    repository: Repository, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.write(MISSION, "first")
    assert added(Request(str(repository.path), notify=("https://chat.example.org/secret",), yes=True)) == 0
    assert listed.read_text().startswith(BEFORE.rstrip("\n")) and listed.stat().st_mode & 0o777 == 0o640
    assert yaml.safe_load(listed.read_text())["projects"][1] == {
        "name": "repository", "url": str(repository.path), "branches": ["main"], "deploy_branch": "main",
        "notify": ["https://chat.example.org/secret"],
    }  # fmt: skip
    assert (settings().state.mirror("repository") / "HEAD").exists(), "the first run need not clone it again"
    assert "secret" not in capsys.readouterr().out
    assert sorted(one.name for one in listed.parent.iterdir()) == ["home", "projects.yaml", "repository"]


def test_what_is_only_audited_says_so(repository: Repository, listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository.write({"main.tf": ""}, "first")
    assert added(Request(str(repository.path), yes=True), Format.JSON) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["written"] and result["entry"]["audit_only"] is True
    assert result["only_audited_because"] == ["it has no Dockerfile"]
    assert check_projects("repository", Format.JSON)
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["good"], row["branches"], row["fault"]) == (True, 1, None)
    assert not any("Dockerfile" in part["detail"] for part in row["parts"])


@pytest.mark.parametrize("name", ["first", None])
def test_what_is_there_already_is_refused(listed: Path, name: str | None) -> None:
    with pytest.raises(ConfigurationError, match=r"already.*--name"):
        add_repository(Request("git@example.org:first", name, yes=True), Format.TABLE)
    assert listed.read_text() == BEFORE


def test_a_tracked_file_is_written_only_by_name(repository: Repository, listed: Path) -> None:
    repository.write(MISSION, "first")
    site = Repository(listed.parent)
    site.git("add", "projects.yaml")
    with pytest.raises(ConfigurationError, match=r"tracked by Git.*--file"):
        add_repository(Request(str(repository.path), yes=True), Format.TABLE)
    assert listed.read_text() == BEFORE and not settings().state.mirrors.exists()
    assert added(Request(str(repository.path))) == NOT_WRITTEN
    assert added(Request(str(repository.path), file=listed, yes=True)) == 0
    assert "name: repository" in listed.read_text()


@pytest.mark.parametrize("url", ["https://ada:secret@example.org/a", "ext::sh", "file:///etc"])
def test_a_bad_address_is_refused_before_anything(listed: Path, url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        add_repository(Request(url, yes=True), Format.TABLE)
    assert "secret" not in str(refused.value) and not settings().state.path.exists()


def test_the_way_of_scripts_from_before_still_writes(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(name="shop", written_url="https://example.org/shop.git", branch="trunk")
    assert yaml.safe_load(listed.read_text())["projects"][1] == {
        "name": "shop", "url": "https://example.org/shop.git", "branches": ["trunk"], "deploy_branch": "trunk",
    }  # fmt: skip
    assert "infraaudit run --project shop --commit trunk" in capsys.readouterr().out


def test_the_way_of_scripts_writes_the_file_that_is_named_and_shows_no_password(
    listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = listed.parent / "an other.yaml"
    add(name="shop", written_url="https://u:s3cret@example.org/shop.git", file=other)
    shown = capsys.readouterr().out
    assert listed.read_text() == BEFORE and "s3cret@example.org" in other.read_text()
    assert "s3cret" not in shown and f"INFRAAUDIT_PROJECTS='{other}' infraaudit run --project shop" in shown
    with pytest.raises(ConfigurationError, match=r"shop already, of https://example\.org/shop") as refused:
        add_repository(Request("/another", "shop", file=other), Format.TABLE)
    assert "s3cret" not in str(refused.value)


def test_no_list_of_projects_shows_a_password(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_project(listed, "shop", "https://u:s3cret@example.org/shop.git")
    for form in (Format.TABLE, Format.JSON):
        list_projects(form)
    shown = capsys.readouterr().out
    assert "s3cret" not in shown and "https://example.org/shop.git" in shown


@pytest.mark.parametrize("more", [{"url": "/b"}, {"dockerfile": "a"}, {"tests": "a"}, {"manifests": ["a"]}])
def test_the_way_of_scripts_refuses_what_it_would_not_heed(listed: Path, more: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="projects add URL"):
        add(name="shop", written_url="/a", **more)
    assert listed.read_text() == BEFORE


@pytest.mark.parametrize(("name", "before"), [("projects.yaml", "Next: "), ("own.yaml", "Next: INFRAAUDIT_PROJECTS=")])
def test_what_to_do_next_is_said_for_the_file_that_was_written(
    repository: Repository, listed: Path, capsys: pytest.CaptureFixture[str], name: str, before: str
) -> None:
    repository.write(MISSION, "first")
    file = listed.parent / name
    assert added(Request(str(repository.path), file=file, yes=True)) == 0
    path = f"{file} " if name == "own.yaml" else ""
    assert f"{before}{path}infraaudit projects check --project repository" in capsys.readouterr().out


def test_names_that_are_markup_are_shown_as_they_are(
    repository: Repository, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.write({"[bold]: {a}/Dockerfile": "FROM scratch\n", "&x *y/Dockerfile": "FROM scratch\n"}, "first")
    assert added(Request(str(repository.path), wanted=Wanted("[bold]: {a}/Dockerfile"), yes=True)) == 0
    assert "[bold]: {a}/Dockerfile" in capsys.readouterr().out
    entry = yaml.safe_load(listed.read_text())["projects"][1]
    assert entry["paths"]["dockerfile"] == "[bold]: {a}/Dockerfile"


def test_check_names_every_fault_with_its_remedy(
    repository: Repository, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.write({"a": ""}, "first")
    listed.write_text(
        f"projects:\n- {{name: shop, url: {repository.path}, branches: [main, 'v*'], deploy_branch: main,"
        " build_secrets: {npmrc: /nowhere}, paths: {dashboard: gone.json}, notify: ['nothing://x']}\n"
        "- {name: broken, url: x, environments: []}\n"
    )
    assert not check_projects(None, Format.JSON)
    shop, broken = json.loads(capsys.readouterr().out)
    by_name = {part["what"]: part for part in shop["parts"]}
    faults = {name for name, part in by_name.items() if part["state"] == "fault"}
    assert faults == {"image", "tests", "manifests of production", "dashboard", "build secret npmrc", "notices"}
    assert by_name["engine"]["state"] == "absent" and "INFRAAUDIT_ENGINE is none" in by_name["engine"]["detail"]
    assert all(by_name[name]["remedy"] for name in faults)
    assert by_name["branches v*"]["state"] == "absent"
    assert "audit_only" in by_name["image"]["remedy"]
    assert not broken["good"] and [part["state"] for part in broken["parts"]] == ["fault", "not checked"]
    assert not check_projects("broken", Format.TABLE)
    assert "broken: 1 fault\n  fault " in capsys.readouterr().out


def test_two_that_add_at_the_same_time_both_stay(listed: Path) -> None:
    forked = multiprocessing.get_context("fork")
    running = [forked.Process(target=_add_five, args=(listed, name)) for name in ("a", "b")]
    for one in running:
        one.start()
    for one in running:
        one.join(60)
    assert len(yaml.safe_load(listed.read_text())["projects"]) == 11


def _add_five(listed: Path, name: str) -> None:
    for number in range(5):
        add_project(listed, f"{name}{number}", "u")
