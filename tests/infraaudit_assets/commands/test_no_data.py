"""Before the first scan and the first deployment: questions say so, instead of zeros that look like facts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from infraaudit.pages.audit import audit_file
from infraaudit.questions import of_findings
from infraaudit.questions.asked import ProjectRules
from infraaudit.questions.question import Question
from infraaudit.questions.table import QUESTIONS, of_command
from infraaudit.scans.lifecycles import follow_deploy_branch
from infraaudit_assets.cli import app
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.scans.findings import Finding, FindingStatus, FrameworkScan, Scan, ScanStatus
from resources.history import History, open_history
from service.app import ServiceOptions, build_app
from tests.conftest import Repository

OF_SCANS = [("trends",), ("sla",), ("blame", "--check", "CKV_1")]
OF_DEPLOYMENTS = [("exposure",), ("exposure", "--of", "commits"), ("dora",), ("log-counts",), ("logs", "--no-collect")]

HAS_ROWS = {"projects", "commits", "scanned", "rejections", "approvals", "triage", "audit_log"}
"""Questions that have an answer then: the project's one commit is recorded, and nobody has decided or asked anything."""
GIVEN = {
    "exposed": {"check": "CKV_1"},
    "exposed_commits": {"check": "CKV_1"},
    "gate_replay": {"gate": "{open: {}, new: {}}"},
}
"""Values without which some questions cannot be asked."""
FOUND = Finding("terraform", "CKV_1", "a check", "main.tf", "a.b", 1, 1, 0, FindingStatus.OPEN)


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
    assert json.loads(printed("rejections", "--json")) == []
    assert [row["sha"] for row in json.loads(printed("commits", "--json"))]


@pytest.mark.usefixtures("history")
def test_no_deployments_are_a_list_for_a_program_and_a_reason_for_people() -> None:
    done = CliRunner().invoke(app, ["deployments", "--project", "shop", "--json"])
    assert json.loads(done.stdout) == [] and "no deployment yet: nothing of shop was deployed" in done.stderr
    assert "no deployment yet: nothing of shop was deployed" in printed("deployments")


def words_of(question: Question) -> list[str]:
    words = [*question.command.split(), "--project", "shop"]
    words += [
        word for name, value in GIVEN.get(question.name, {}).items() if name == "check" for word in ("--check", value)
    ]
    words += ["0" * 32] if "{fingerprint}" in question.path else []
    return words + (["--of", question.of] if len(of_command(question.command)) > 1 else [])


@pytest.mark.parametrize(
    "question", [each for each in QUESTIONS if each.name not in HAS_ROWS], ids=lambda each: each.name
)
def test_every_question_says_what_is_missing_before_anything_was_done(history: History, question: Question) -> None:
    done = CliRunner().invoke(app, words_of(question))
    assert " yet: " in done.stdout and "Run: infraaudit " in " ".join(done.stdout.split()), (
        done.output,
        done.exception,
    )
    client = TestClient(build_app(history, ServiceOptions(["shop"])))
    path = "/api/v1" + question.path.format(project="shop", fingerprint="0" * 32)
    answer = client.get(path, params=GIVEN.get(question.name, {}))
    assert answer.status_code == 200 and answer.json()["items"] == [] and " yet: " in answer.json()["no_data"]


def test_before_any_project_the_service_says_so(tmp_path: Path) -> None:
    past = History(f"sqlite:///{tmp_path}/empty.db")
    past.migrate()
    client = TestClient(build_app(past, ServiceOptions([])))
    assert "no project yet" in client.get("/api/v1/projects").json()["no_data"]


@pytest.mark.usefixtures("history")
def test_a_document_of_a_commit_without_a_scan_is_an_error() -> None:
    done = CliRunner().invoke(app, ["export", "--project", "shop"])
    assert done.exit_code == 1 and "has not been scanned. Run: infraaudit scan" in str(done.exception)


@pytest.mark.parametrize("scanned", ["oldest", "head", "both"])
def test_during_a_backfill_everything_answers_and_says_how_far_it_is(
    history: History, repository: Repository, scanned: str
) -> None:
    project, now = find_project("shop"), datetime.now(UTC)
    shas = [repository.git("rev-parse", "HEAD"), *(repository.write({"main.tf": f"# {n}"}, f"{n}") for n in range(4))]
    mirror_of(project).fetch()
    for sha in shas:
        history.record_commit("shop", mirror_of(project).commit(sha))
    chosen = {"oldest": shas[:2], "head": shas[4:], "both": [*shas[:2], shas[4]]}[scanned]
    for sha in chosen:
        part = FrameworkScan("terraform", f"k {sha}", ScanStatus.COMPLETE, (FOUND,))
        history.record_scan("shop", Scan(sha, (part,), "3", "c", now, 1.0))
    history.record_deployment(Deployment("shop", "production", shas[3], "container", Outcome.DEPLOYED, now, now))
    follow_deploy_branch(history, mirror_of(project), project)
    said = {"oldest": "2 of 5 commits of main are scanned so far", "head": "", "both": "3 of 5 commits"}[scanned]
    rules = ProjectRules(mirror=mirror_of(project))
    client = TestClient(build_app(history, ServiceOptions(["shop"], rules=lambda _: rules)))
    for question in QUESTIONS:
        path = question.path.format(project="shop", fingerprint=FOUND.fingerprint)
        given = GIVEN | {"compare": {"before": shas[0]}}
        answer = client.get(f"/api/v1{path}", params=given.get(question.name, {}))
        assert answer.status_code in (200, 404), (question.name, answer.text)
        assert answer.status_code == 200 or "has not been scanned" in answer.json()["error"], (
            question.name,
            answer.text,
        )
        rests_on_scans = question in of_findings.QUESTIONS and answer.status_code == 200
        assert not rests_on_scans or answer.json().get("provisional", "").startswith(said), question.name
    assert client.get("/projects/shop/deployments").status_code == 200
    for page in [
        "",
        "/findings",
        f"/commits/{shas[2]}",
        f"/findings?commit={shas[2]}",
        f"/findings/{FOUND.fingerprint}",
    ]:
        shown = client.get(f"/projects/shop{page}")
        assert shown.status_code == 200 and said in shown.text, page
    assert said in audit_file(history, "shop", chosen[-1], now)
    done = CliRunner().invoke(app, ["trends", "--project", "shop"])
    assert done.exit_code == 0 and said in done.stderr


@pytest.mark.usefixtures("history")
def test_of_a_commit_without_a_scan_nothing_is_said(history: History, repository: Repository) -> None:
    _scan_and_deploy(history, ScanStatus.COMPLETE, Outcome.DEPLOYED)
    new = repository.write({"main.tf": "# new"}, "new")
    mirror_of(find_project("shop")).fetch()
    history.record_commit("shop", mirror_of(find_project("shop")).commit(new))
    for command in ("changes", "findings", "coverage"):
        done = CliRunner().invoke(app, [command, "--project", "shop"])
        assert done.exit_code == 1 and f"{new[:12]} of shop has not been scanned" in str(done.exception), command
    client = TestClient(build_app(history, ServiceOptions(["shop"])))
    for path in ("changes", "findings", "coverage", "coverage/gaps"):
        answer = client.get(f"/api/v1/projects/shop/{path}", params={"commit": new})
        assert answer.status_code == 404 and "has not been scanned" in answer.json()["error"], path
    assert f"{new[:12]} of shop did not go through the pipeline" in printed("stages")
    assert f"{new[:12]} of shop did not go through the tests" in printed("tests")
