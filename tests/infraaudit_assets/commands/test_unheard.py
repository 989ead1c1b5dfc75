"""Where nobody would be notified of a failing test, doctor, status and `projects add` say so, until an address is given."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infraaudit_assets.cli import app
from infraaudit_assets.commands import doctor
from infraaudit_assets.settings import settings
from resources.configuration.projects import read_projects

NOBODY = "nobody would be notified of a failing test of shop"


@pytest.fixture
def projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installation that nobody configured."""
    monkeypatch.setenv("INFRAAUDIT_HOME", str(tmp_path))
    monkeypatch.setenv("INFRAAUDIT_PROJECTS", str(tmp_path / "projects.yaml"))
    for name in ("DATABASE_URL", "NOTIFY"):
        monkeypatch.delenv(f"INFRAAUDIT_{name}", raising=False)
    settings.cache_clear()
    yield tmp_path / "projects.yaml"
    settings.cache_clear()


def run(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    assert not done.exception or isinstance(done.exception, SystemExit), done.output
    return done.output


def test_adding_a_project_says_that_nobody_hears_of_it_or_takes_an_address(projects: Path) -> None:
    assert NOBODY in run("projects", "add", "--name", "shop", "--url", "/nowhere")
    assert "nobody" not in run("projects", "add", "--name", "bank", "--url", "/nowhere", "--notify", "slack://a/b/c")
    assert [one.url for one in read_projects(projects)[1].notify] == ["slack://a/b/c"]


def test_status_says_it_and_has_it_in_its_rows(projects: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    projects.write_text("projects: [{name: shop, url: /nowhere}]")
    assert NOBODY in " ".join(run("status").split())
    assert NOBODY in json.loads(run("status", "--format", "json"))[0]["unheard"]
    monkeypatch.setenv("INFRAAUDIT_NOTIFY", '["json://example.org"]')
    settings.cache_clear()
    assert json.loads(run("status", "--format", "json"))[0]["unheard"] == ""


@pytest.mark.parametrize(
    ("notify", "found"),
    [
        ("", False),
        ("notify: [{url: 'json://a', urgency: critical}]", False),
        ("routes: {'@team': ['json://a']}", False),
        ("notify: [{url: 'json://a', urgency: failure}]", True),
    ],
)
def test_the_doctor_names_projects_whose_failing_tests_nobody_hears_of(
    projects: Path, notify: str, found: bool
) -> None:
    projects.write_text(f"projects:\n  - name: shop\n    url: /nowhere\n    {notify}\n")
    part = doctor._notices(settings())
    assert (part.found, NOBODY in part.detail) == (found, not found)


def test_the_doctor_is_not_stopped_by_a_projects_file_that_is_not_there(projects: Path) -> None:
    part = doctor._notices(settings())
    assert not part.found and not part.needed and part.detail == "there are no projects"
