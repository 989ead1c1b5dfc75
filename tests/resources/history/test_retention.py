"""Moving, pruning and backing up a history, on SQLite and PostgreSQL."""

import json
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest

from infraaudit.operations.backup import restore_backup, write_backup
from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.errors import ConfigurationError, HistoryError
from infraaudit_domain.judging.gate import judge_tests
from infraaudit_domain.projects import Project
from infraaudit_domain.pushes import PushState
from infraaudit_domain.reporting.notices import Notice
from infraaudit_domain.retention import PRUNED, Aging, outdated
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus, Severity
from infraaudit_domain.triggers import GitEvent
from resources.history import History, schema
from resources.history.decisions.rejections import reject
from resources.history.deployments import deployed_before
from resources.history.git_events import record_git_events
from resources.history.outbox import write_notices
from resources.history.pushes import Push, finish_pushes, store_pushes
from resources.history.retention import aging_commits, in_use, prune, prune_messages, pruned_messages
from resources.history.transfer import copy_history, open_file
from service.exporter import HistoryCollector
from tests.resources.databases import DATABASES, fresh_history

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHAS = [f"{number:040x}" for number in range(5)]


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


@pytest.fixture
def other(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    folder = tmp_path / "other"
    folder.mkdir()
    yield from fresh_history("postgresql", folder, needs, request)


def scan_of(sha: str, key: str) -> Scan:
    finding = Finding("terraform", "CKV_AWS_18", "logging", "main.tf", key, 1, 4, severity=Severity.LOW)
    part = FrameworkScan("terraform", key, ScanStatus.COMPLETE, (finding,), (), 1.5, "", reused=False)
    return Scan(sha, (part,), "3.3.30", "c1", NOW, 2.5, ("é\N{SNOWMAN}",))


def deployment(sha: str, moment: datetime, replaced: str | None = None) -> Deployment:
    return Deployment(
        "p", "production", sha, "kubernetes:x", Outcome.DEPLOYED, moment, moment, "i", "m", replaced_sha=replaced
    )


def fill(history: History) -> None:
    """Five commits; the first two share a scan, the third is what a rollback returns to, the fourth is live."""
    history.record_project(Project("p", "url"))
    for number, sha in enumerate(SHAS):
        parents = (SHAS[number - 1],) if number else ()
        moment = NOW + timedelta(days=number)
        history.record_commit("p", Commit(sha, "t", parents, "Ada", "a@x", moment, moment, "subject"))
        history.record_scan("p", scan_of(sha, f"k{max(number, 1)}"))
        history.record_test_run("p", sha, TestRun((TestCase("t::a", CaseOutcome.PASSED, 0.1),), 1.0, "output", ""))
        history.record_stage("p", sha, "scan_report", StageOutcome.SUCCEEDED, moment, moment, "run", "")
    history.record_deployment(deployment(SHAS[2], NOW))
    history.record_deployment(deployment(SHAS[3], NOW + timedelta(hours=1), SHAS[2]))
    write_notices(history, [Notice("key", "p", "title", "body", "failure")])


def content(history: History) -> dict[str, list[dict[str, Any]]]:
    with history.reading() as connection:
        rows = {t.name: connection.execute(sa.select(t)).mappings().all() for t in schema.metadata.sorted_tables}
    return {name: sorted((dict(row) for row in found), key=repr) for name, found in rows.items()}


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


def test_pruning_takes_details_and_nothing_that_is_used(history: History) -> None:
    fill(history)
    kept = content(history)
    assert in_use(history, "p") == {SHAS[2], SHAS[3]}
    shas = outdated(
        aging_commits(history, "p"), before=datetime(2100, 1, 1, tzinfo=UTC), keep_newest=1,
        protected=in_use(history, "p"),
    )  # fmt: skip
    assert shas == (SHAS[0], SHAS[1])
    done = prune(history, "p", shas)
    assert (done.findings, done.test_cases) == (1, 2)
    for sha in SHAS[2:]:
        assert history.scan("p", sha) == scan_of(sha, f"k{SHAS.index(sha)}")
    old = history.scan("p", SHAS[0])
    assert old is not None and old.status is ScanStatus.PARTIAL
    assert [(part.findings, part.reason) for part in old.frameworks] == [((), PRUNED)]
    assert history.framework_scan("k1") is None
    now = content(history)
    untouched = ("commits", "parents", "scans", "stages", "deployments", "line_commits", "spans", "notices")
    assert {name: now[name] for name in untouched} == {name: kept[name] for name in untouched}
    assert prune(history, "p", shas).findings == 0


def test_what_a_rollback_returns_to_is_in_use_though_it_was_not_replaced_last(history: History) -> None:
    """After a rollback, what is live replaced a commit that no second rollback returns to."""
    earliest, first, back, left, other = SHAS
    for number, (sha, replaced) in enumerate([(earliest, None), (first, earliest), (back, first), (left, back)]):
        history.record_deployment(deployment(sha, NOW + timedelta(hours=number), replaced))
    history.record_deployment(deployment(back, NOW + timedelta(hours=4), left))
    live = history.live("p", "production")
    assert live is not None
    way_back = deployed_before(history, live)
    assert way_back is not None and way_back.sha == first
    assert in_use(history, "p") == {back, left, first, earliest}, "the earliest where the first is rejected"
    reject(history, "p", first, "it leaks", "ada")
    assert in_use(history, "p") == {back, left, earliest}
    assert other not in in_use(history, "p")


@pytest.mark.parametrize("outcomes", [("passed", "skipped"), ("passed", "failed", "error"), ("skipped",), ()])
def test_a_pruned_test_run_is_judged_by_its_counts(history: History, outcomes: tuple[str, ...]) -> None:
    cases = tuple(TestCase(f"t::{name}", CaseOutcome(name), 0.1) for name in outcomes)
    fill(history)
    history.record_test_run("p", SHAS[0], TestRun(cases, 1.0, "output"))
    before = history.test_run("p", SHAS[0])
    prune(history, "p", SHAS[:1])
    after = history.test_run("p", SHAS[0])
    assert before is not None and after is not None and after.cases == ()
    assert (after.counts, after.succeeded, after.bad) == (before.counts, before.succeeded, before.bad)
    assert (
        judge_tests(after).passed == judge_tests(before).passed == ("failed" not in outcomes and "passed" in outcomes)
    )
    history.record_test_run("p", SHAS[0], after)
    assert history.test_run("p", SHAS[0]) == after, "what is stored again keeps its counts"


def test_a_scan_that_a_younger_commit_shares_stays(history: History) -> None:
    fill(history)
    assert prune(history, "p", [SHAS[0]]).findings == 0
    assert history.scan("p", SHAS[0]) == scan_of(SHAS[0], "k1")


def test_a_pruned_commit_that_is_scanned_again_is_complete(history: History) -> None:
    fill(history)
    prune(history, "p", SHAS[:2])
    history.record_scan("p", scan_of(SHAS[0], "k1"))
    assert history.scan("p", SHAS[0]) == scan_of(SHAS[0], "k1")


@pytest.mark.parametrize(
    ("days_old", "recorded_days_old", "goes"), [(11, 11, True), (9, 9, False), (400, 9, False), (9, 11, False)]
)
def test_age_counts_from_the_later_of_commit_and_record(days_old: int, recorded_days_old: int, goes: bool) -> None:
    aging = Aging("a", NOW - timedelta(days=days_old), NOW - timedelta(days=recorded_days_old))
    young = Aging("b", NOW, NOW)
    shas = outdated([aging, young], before=NOW - timedelta(days=10), keep_newest=1, protected=())
    assert shas == (("a",) if goes else ())


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


@pytest.mark.parametrize("kind", DATABASES)
def test_deleted_rows_leave_room(
    kind: str, tmp_path: Path, needs: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    for history in fresh_history(kind, tmp_path, needs, request):
        with history.writing() as connection:
            connection.exec_driver_sql("CREATE TABLE large AS SELECT 1 AS one")
            connection.exec_driver_sql("DROP TABLE large")
        history.vacuum()
        assert history.rows(sa.select(sa.literal(1)))


def scraped(history: History) -> list[bytes]:
    registry = CollectorRegistry()
    registry.register(HistoryCollector(history))
    lines = generate_latest(registry).splitlines()
    return [line for line in lines if b"webhook" in line or b"notices" in line]


def test_old_messages_go_and_stay_counted_and_what_waits_stays(history: History) -> None:
    history.record_project(Project("p", "url"))
    pushes = [Push(f"{n}", "p", "github", "main", "", SHAS[n], NOW) for n in range(4)]
    store_pushes(history, pushes)
    finish_pushes(history, pushes[:2], PushState.DONE)
    finish_pushes(history, pushes[2:3], PushState.FAILED, "no such commit")
    write_notices(history, [Notice("a", "p", "t", "b", "failure"), Notice("b", "p", "t", "b", "failure")])
    record_git_events(history, "p", [GitEvent("created", "main", "", SHAS[0], "")])
    with history.writing() as connection:
        connection.execute(schema.notices.update().where(schema.notices.c.key == "a").values(sent_at=NOW))
    counters = scraped(history)
    later = datetime.now(UTC) + timedelta(days=1)
    assert prune_messages(history, "p", NOW) == 0, "they are younger"
    assert prune_messages(history, "other", later) == 0
    assert prune_messages(history, "p", later) == 3 + 1 + 1
    assert pruned_messages(history, "push") == {("p", "done"): 2, ("p", "failed"): 1}
    assert [row["id"] for row in history.rows(sa.select(schema.deliveries.c.id))] == ["3"]
    assert [row["key"] for row in history.rows(sa.select(schema.notices.c.key))] == ["b"]
    assert scraped(history) == counters and any(b'outcome="done"' in line and b" 2.0" in line for line in counters)
    finish_pushes(history, pushes[3:], PushState.DONE)
    assert prune_messages(history, "p", later) == 1 and pruned_messages(history, "push")["p", "done"] == 3
