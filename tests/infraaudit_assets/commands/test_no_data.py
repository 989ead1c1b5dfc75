"""Before the first scan and the first deployment: questions say so, instead of zeros that look like facts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from infraaudit.scans.lifecycles import follow_deploy_branch
from infraaudit_assets.cli import app
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.scans.findings import FrameworkScan, Scan, ScanStatus
from resources.history import History, open_history
from service.app import ServiceOptions, build_app
from tests.conftest import Repository

OF_SCANS = [("trends",), ("sla",), ("blame", "--check", "CKV_1")]
OF_DEPLOYMENTS = [("exposure",), ("exposure", "--of", "commits"), ("dora",), ("log-counts",), ("logs", "--no-collect")]


@pytest.fixture
def history(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """Of a project with one commit, which nothing was done with."""
    repository.write({"main.tf": ""}, "a commit")
    (tmp_path / "projects.yaml").write_text(f"projects: [{{name: shop, url: {repository.path}}}]")
    monkeypatch.setenv("INFRAAUDIT_PROJECTS", str(tmp_path / "projects.yaml"))
    monkeypatch.setenv("INFRAAUDIT_HOME", str(tmp_path))
    monkeypatch.delenv("INFRAAUDIT_DATABASE_URL", raising=False)
    settings.cache_clear()
    past, project = open_history(settings().history_url), find_project("shop")
    mirror_of(project).fetch()
    past.record_project(project)
    past.record_commit("shop", mirror_of(project).commit(mirror_of(project).tip("main")))
    follow_deploy_branch(past, mirror_of(project), project)
    yield past
    settings.cache_clear()


def printed(*words: str) -> str:
    done = CliRunner().invoke(app, [words[0], "--project", "shop", *words[1:]])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("words", OF_SCANS + OF_DEPLOYMENTS)
@pytest.mark.usefixtures("history")
def test_what_is_missing_and_what_to_do_is_said_in_every_form(words: tuple[str, ...]) -> None:
    kind, command = ("scan", "infraaudit scan") if words in OF_SCANS else ("deployment", "infraaudit run")
    for said in (printed(*words), json.loads(printed(*words, "--json"))["no_data"]):
        assert f"no {kind} yet: " in said
        assert f"{command} --project shop --commit main" in " ".join(said.split())
    assert "no_data" not in printed(*words, "--format", "csv")


def test_the_api_says_the_same_and_then_has_rows(history: History) -> None:
    client = TestClient(build_app(history, ServiceOptions(["shop"])))
    for path in ("trends", "sla", "blame", "exposure", "exposure/commits", "dora", "log-counts"):
        answer = client.get(f"/api/v1/projects/shop/{path}").json()
        assert (answer["items"], answer["total"]) == ([], 0) and " yet: " in answer["no_data"]
        csv = client.get(f"/api/v1/projects/shop/{path}", params={"format": "csv"})
        assert csv.headers["X-No-Data"] == answer["no_data"] and len(csv.text.splitlines()) == 1
    _scan_and_deploy(history, ScanStatus.FAILED, Outcome.SKIPPED)
    assert client.get("/api/v1/projects/shop/sla").json()["no_data"]
    assert client.get("/api/v1/projects/shop/dora").json()["no_data"]
    _scan_and_deploy(history, ScanStatus.COMPLETE, Outcome.DEPLOYED)
    for path in ("trends", "sla", "exposure", "exposure/commits", "dora"):
        assert "no_data" not in client.get(f"/api/v1/projects/shop/{path}").json()
    assert client.get("/api/v1/projects/shop/dora", params={"environment": "staging"}).json()["no_data"]


def _scan_and_deploy(history: History, status: ScanStatus, outcome: Outcome) -> None:
    project, now = find_project("shop"), datetime.now(UTC)
    sha = mirror_of(project).tip("main")
    history.record_scan("shop", Scan(sha, (FrameworkScan("terraform", f"k {status}", status, ()),), "3", "c", now, 1.0))
    history.record_deployment(Deployment("shop", "production", sha, "container", outcome, now, now))
    follow_deploy_branch(history, mirror_of(project), project)


@pytest.mark.usefixtures("history")
def test_what_needs_neither_has_its_rows() -> None:
    assert json.loads(printed("deployments", "--json")) == []
    assert [row["sha"] for row in json.loads(printed("commits", "--json"))]
