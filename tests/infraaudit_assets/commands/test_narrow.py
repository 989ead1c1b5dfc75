"""`blame --narrow`, `life --of narrow`, their API and `status`, on a real repository with the real Checkov."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from infraaudit.questions.asked import ProjectRules
from infraaudit_assets.cli import app
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.commands.scan import scanner_for
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError, NotThereError
from resources.history import History, open_history
from service.app import ServiceOptions, build_app
from service.workers.narrow_worker import NarrowWorker
from tests.conftest import Repository

pytestmark = pytest.mark.slow

BUCKET = 'resource "aws_s3_bucket" "b" {\n  bucket = "b"\n}\n'
LOGGED = "CKV_AWS_18"
COMMITS = 12
OPENED = 7


@pytest.fixture
def shas(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A project of twelve commits of which the newest alone is scanned; the eighth adds a bucket."""
    shas = []
    for number in range(COMMITS):
        files: dict[str, str | None] = {"main.tf": f"# {number}\n" + (BUCKET if number >= OPENED else "")}
        shas.append(repository.write(files, f"commit {number}"))
    entry = {"name": "shop", "url": str(repository.path)}
    (tmp_path / "projects.yaml").write_text(json.dumps({"projects": [entry]}))
    paths = {"HOME": tmp_path / "home", "PROJECTS": tmp_path / "projects.yaml", "REPORTS": tmp_path / "reports"}
    for name, value in paths.items():
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(value))
    settings.cache_clear()
    assert asked("scan", "--commit", "main").exit_code == 0
    yield shas
    settings.cache_clear()


def asked(*words: str) -> Result:
    return CliRunner().invoke(app, [words[0], "--project", "shop", *words[1:]])


def history() -> History:
    return open_history(settings().history_url)


def test_a_commit_is_named_by_few_scans_and_every_face_says_which(shas: list[str], repository: Repository) -> None:
    (row,) = json.loads(asked("blame", "--check", LOGGED, "--json").stdout)
    assert (row["commit"], row["certainty"]) == (shas[-1], "before")
    (status,) = json.loads(asked("status", "--json").stdout)
    names = ("scanned_from", "commits_before", "commits_unscanned", "commits_failed", "commits_earlier_rules")
    assert [status[name] for name in names] == [shas[-1], COMMITS - 1, COMMITS - 1, 0, 0]
    reported = " ".join(asked("status").stdout.split())
    assert f"scanned from {shas[-1][:12]} on; 11 commits before and 0 since are not scanned" in reported

    (scanned,) = json.loads(asked("scanned", "--json").stdout)
    assert scanned == {"commits": COMMITS} | {name: status[name] for name in names}

    (wanted,) = json.loads(asked("life", row["id"], "--of", "narrow", "--json").stdout)
    assert (wanted["commit"], wanted["next"]) == (shas[-1], shas[5])
    options = ServiceOptions(["shop"], rules=lambda _: ProjectRules(mirror=repository.mirror()))
    served = TestClient(build_app(history(), options)).get(f"/api/v1/projects/shop/findings/{row['id']}/narrow")
    assert served.json()["items"] == [wanted]

    done = asked("blame", row["life"][:16], "--narrow", "--json")
    (named,) = json.loads(done.stdout)
    assert list(named) == list(row)
    assert (named["commit"], named["certainty"], named["event"]) == (shas[OPENED], "exact", "introduced")
    scans = len(history().rows(_scans())) - 1
    assert scans <= 4 and f"narrowed with {scans} scans" in done.stderr
    again = asked("blame", row["id"], "--narrow")
    assert again.exit_code == 0 and "narrowed with 0 scans" in again.stderr


def test_the_service_does_the_same_when_asked(shas: list[str], repository: Repository) -> None:
    (row,) = json.loads(asked("blame", "--check", LOGGED, "--json").stdout)
    path, pen = f"/api/v1/projects/shop/findings/{row['id']}/narrow", {"Authorization": "Bearer pen"}
    project = find_project("shop")
    worker = NarrowWorker(history(), [project], mirror_of, lambda: scanner_for(history()))
    options = ServiceOptions(["shop"], write_tokens=["pen"], rules=lambda _: ProjectRules(mirror=repository.mirror()))
    with TestClient(build_app(history(), options, narrowing=worker)) as client:
        assert client.post(path, headers=pen).json()["state"] in ("waiting", "running")
        while not (page := client.get(path, headers=pen).json())["narrowing"].startswith("done"):
            assert not page["narrowing"].startswith("failed"), page
            time.sleep(0.1)
    assert page["items"] == [] and int(page["narrowing"].split()[1]) <= 4
    (named,) = json.loads(asked("blame", row["id"], "--json").stdout)
    assert (named["commit"], named["certainty"]) == (shas[OPENED], "exact")


@pytest.mark.usefixtures("shas")
def test_a_limit_is_kept_and_the_next_commit_named() -> None:
    (row,) = json.loads(asked("blame", "--check", LOGGED, "--json").stdout)
    done = asked("blame", row["id"], "--narrow", "--max-scans", "1")
    assert "narrowed with 1 scan\n" in done.stderr
    assert "--max-scans was reached; the next is" in done.stderr


@pytest.mark.usefixtures("shas")
def test_it_needs_one_finding() -> None:
    assert isinstance(asked("blame", "--narrow").exception, ConfigurationError)
    assert isinstance(asked("blame", "f" * 32, "--narrow").exception, NotThereError)


def _scans():  # type: ignore[no-untyped-def]
    import sqlalchemy as sa

    from resources.history import schema

    return sa.select(schema.scans.c.sha)
