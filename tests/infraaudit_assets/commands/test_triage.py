"""Triage and the audit log as commands: by id, by filter, with a dry run, to a file and back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infraaudit_assets.cli import app
from infraaudit_assets.commands.person import person
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError, HistoryError
from resources.history import History
from resources.history.decisions.audit_log import log_rows
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding, scan
from tests.resources.databases import migrated_history

ACCEPT = ("accept", "--reason", "behind the VPN", "--owner", "ops", "--days", "9")


@pytest.fixture
def history(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    sha, past = repository.write({"main.tf": "# a"}, "a file"), migrated_history(tmp_path)
    past.record_commit("shop", repository.mirror().commit(sha))
    past.record_scan("shop", scan(sha, [finding("a"), finding("b")]))
    (tmp_path / "projects.yaml").write_text(json.dumps({"projects": [{"name": "shop", "url": str(repository.path)}]}))
    values = {"HOME": tmp_path / "home", "PROJECTS": tmp_path / "projects.yaml", "DATABASE_URL": past.url}
    for name, value in values.items():
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(value))
    settings.cache_clear()
    yield past
    settings.cache_clear()


def asked(*words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--project", "shop"])


def test_what_is_accepted_is_suppressed_in_every_answer_and_logged(history: History, tmp_path: Path) -> None:
    mark = finding("a").fingerprint
    dry = json.loads(asked("triage", *ACCEPT, "--path", "main.tf", "--dry-run", "--json").stdout)
    assert (dry["findings"], dry["recorded"]) == (2, False)
    assert "recorded for 1 finding" in asked("triage", *ACCEPT, mark[:10]).stdout
    rows = {row["id"]: row for row in json.loads(asked("findings", "--json").stdout)}
    assert (rows[mark]["status"], rows[mark]["hidden_by"]) == ("suppressed", "triage")
    assert rows[finding("b").fingerprint]["status"] == "open"
    (one,) = json.loads(asked("suppressions", "--json").stdout)
    assert (one["source"], one["id"], one["by"], one["state"]) == ("triage", mark, person(), "active")
    (soon,) = json.loads(asked("triage", "list", "--within", "9", "--json").stdout)
    assert (soon["days_left"], soon["via"], soon["by"]) == (9, "cli", person())
    assert json.loads(asked("triage", "list", "--within", "8", "--json").stdout) == []
    (line,) = json.loads(asked("audit-log", "--json").stdout)
    assert (line["act"], line["actor"], line["via"], line["subject"]) == ("triage", person(), "cli", mark[:10])
    file = tmp_path / "out.yaml"
    assert asked("triage", "export", "--output", str(file)).exit_code == 0
    assert "0 recorded, 1 known" in asked("triage", "import", str(file)).stdout
    assert asked("triage", "undo", mark).exit_code == 0
    assert {row["status"] for row in json.loads(asked("findings", "--json").stdout)} == {"open"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (ACCEPT, "Name the findings"),
        ((*ACCEPT[:-2], "ffffffff"), "--expires or --days"),
        ((*ACCEPT[:-2], "--expires", "tomorrow", "ffffffff"), "is a day"),
        ((*ACCEPT, "ffffffff"), "ever had a finding"),
        ((*ACCEPT, "ffffffff", "--check", "CKV_1"), "not both"),
        ((*ACCEPT, "--severity", "awful"), "severity"),
    ],
)
def test_what_cannot_be_recorded_says_why_and_leaves_nothing(
    history: History, words: tuple[str, ...], said: str
) -> None:
    done = asked("triage", *words)
    assert isinstance(done.exception, ConfigurationError) and said in str(done.exception)
    assert json.loads(asked("triage", "list", "--json").stdout) == []


def test_pruning_that_breaks_off_is_in_the_log(history: History) -> None:
    with history.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE scan_parts RENAME TO gone")
    done = CliRunner().invoke(app, ["prune", "--older-than", "30"])
    assert isinstance(done.exception, HistoryError), done.output
    _, (line,) = log_rows(history, "shop", most=9)
    assert (line["act"], line["actor"]) == ("prune", person()) and "begun" in line["details"]
