"""Moving and backing up a history, on SQLite and PostgreSQL."""

import json
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest

from infraaudit.operations.backup import restore_backup, write_backup
from infraaudit_domain.errors import ConfigurationError, HistoryError
from infraaudit_domain.judging.audit_log import Act, Actor, Via
from resources.history import History
from resources.history.decisions.audit_log import log_act
from resources.history.transfer import copy_history, open_file
from tests.resources.history.filled import NOW, SHAS, content, deployment, fill, scan_of
from tests.resources.history.filled import history as history
from tests.resources.history.filled import other as other


def test_a_history_moves_whole_and_numbers_go_on(history: History, other: History) -> None:
    fill(history)
    copied = copy_history(history, other)
    assert content(other) == content(history)
    assert copied == sum(map(len, content(history).values())) > 30
    other.record_deployment(deployment(SHAS[4], NOW + timedelta(hours=2)))
    live = other.live("p", "production")
    assert live is not None and live.sha == SHAS[4]


def test_a_history_is_never_mixed_with_another(history: History, other: History) -> None:
    fill(history)
    fill(other)
    before = content(other)
    with pytest.raises(HistoryError, match="already holds a history"):
        copy_history(history, other)
    assert content(other) == before


def test_a_project_may_be_added_before_a_history_moves_in(history: History, other: History) -> None:
    eve = Actor("eve", Via.CLI)
    fill(history)
    log_act(history, eve, Act.RUN, "p", "first")
    log_act(history, eve, Act.RUN, "p", "second")
    log_act(other, eve, Act.ADD_PROJECT, "p", "here")
    copy_history(history, other)
    log_act(other, eve, Act.PRUNE, "p", "later")
    subjects = [row["subject"] for row in content(other)["audit_log"]]
    assert sorted(subjects) == ["first", "here", "later", "second"]
    moved, rest = content(other), content(history)
    assert all(moved[name] == rows for name, rows in rest.items() if name != "audit_log")


def test_what_is_written_meanwhile_is_not_half_in_the_copy(history: History, other: History) -> None:
    fill(history)
    before = content(history)
    later = scan_of("f" * 40, "later")
    copy_history(history, other, lambda table, _: history.record_scan("p", later) if table == "commits" else None)
    assert content(other) == before
    assert history.scan("p", "f" * 40) == later


def test_what_is_copied_halfway_is_not_kept(history: History, other: History) -> None:
    fill(history)

    def stop(table: str, _: int) -> None:
        if table == "scans":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_history(history, other, stop)
    assert not any(content(other).values())


def test_a_file_that_is_no_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="no file"):
        open_file(tmp_path / "absent.db")
    (tmp_path / "text.db").write_text("not a database, " * 100)
    with pytest.raises(HistoryError):
        open_file(tmp_path / "text.db")


def test_a_backup_fills_an_empty_installation(history: History, other: History, tmp_path: Path) -> None:
    fill(history)
    state, reports = tmp_path / "state", tmp_path / "reports"
    for path in (
        "logs/p/day.jsonl",
        "deployments/p/a/manifests.yaml",
        "mirrors/p/HEAD",
        "checkouts/x",
        "scans/secret-resource.key",
        "scans/s/x",
    ):
        (state / path).parent.mkdir(parents=True, exist_ok=True)
        (state / path).write_text(path)
    (reports / "p").mkdir(parents=True)
    (reports / "p" / "a.json").write_text("{}")
    _dagster_database(state / "dagster" / "runs.db")
    done = write_backup(tmp_path / "b.tar.gz", history, state, reports, NOW)
    back, again = tmp_path / "state2", tmp_path / "reports2"
    assert restore_backup(tmp_path / "b.tar.gz", other, back, again) == done
    assert content(other) == content(history)
    assert done.files == 5
    found = sorted(str(path.relative_to(back)) for path in back.rglob("*") if path.is_file())
    assert found == [
        "dagster/runs.db",
        "deployments/p/a/manifests.yaml",
        "logs/p/day.jsonl",
        "scans/secret-resource.key",
    ]
    assert (back / "scans/secret-resource.key").stat().st_mode & 0o077 == 0
    assert (again / "p" / "a.json").read_text() == "{}"
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o077 == 0
    with pytest.raises(HistoryError, match="already holds"):
        restore_backup(tmp_path / "b.tar.gz", other, tmp_path / "state3", tmp_path / "reports3")
    assert not (tmp_path / "reports3").exists()


def _dagster_database(path: Path) -> None:
    """An SQLite database with a write that is still in its write-ahead log."""
    import sqlite3

    path.parent.mkdir(parents=True)
    open_connection = sqlite3.connect(path)
    open_connection.execute("PRAGMA journal_mode=WAL")
    open_connection.execute("CREATE TABLE runs (id)")
    open_connection.commit()


def test_a_file_that_is_no_backup_changes_nothing(other: History, tmp_path: Path) -> None:
    (tmp_path / "no.tar.gz").write_bytes(b"no archive")
    with pytest.raises(ConfigurationError, match="no backup"):
        restore_backup(tmp_path / "no.tar.gz", other, tmp_path / "state", tmp_path / "reports")
    with tarfile.open(tmp_path / "newer.tar.gz", "w:gz") as tar:
        said = tmp_path / "backup.json"
        said.write_text(json.dumps({"format": 99, "created_at": "", "rows": 1, "files": 0}))
        tar.add(said, "backup.json")
    with pytest.raises(ConfigurationError, match="format 99"):
        restore_backup(tmp_path / "newer.tar.gz", other, tmp_path / "state", tmp_path / "reports")
    assert not any(content(other).values())
    assert list((tmp_path / "state").iterdir()) == []
