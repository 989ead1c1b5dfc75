import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.errors import HistoryError
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus, Severity, UnreadableFile
from infraaudit_domain.triggers import GitEvent
from resources.history import History, schema
from resources.history.git_events import git_events, record_git_events, recorded_commits
from resources.history.queries.frames import commits_named
from resources.history.queries.log_counts import lines_printed
from tests.conftest import Repository
from tests.resources.databases import DATABASES, fresh_history

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHA = "a" * 40


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


def _count(history: History, table: sa.Table) -> int:
    with history.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _finding(resource: str = "aws_s3_bucket.a") -> Finding:
    return Finding("terraform", "CKV_AWS_18", "logging", "main.tf", resource, 1, 4, severity=Severity.LOW)


def _scan(*findings: Finding, key: str = "k1", status: ScanStatus = ScanStatus.COMPLETE, reused: bool = False) -> Scan:
    part = FrameworkScan(
        "terraform", key, status, findings, (UnreadableFile("b.tf", "broken"),), 1.5, "why", reused=reused
    )
    return Scan(SHA, (part,), "3.3.30", "c1", NOW, 2.5, ("ignored key",))


def test_the_migrations_make_the_tables_of_the_schema(history: History) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with history.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_migrating_again_changes_nothing(history: History) -> None:
    history.record_scan("p", _scan(_finding()))
    history.migrate()
    assert history.scan("p", SHA) == _scan(_finding())


def test_every_fact_comes_back_as_it_was_and_replaces_its_row(history: History) -> None:
    commit = Commit(SHA, "t", ("b" * 40, "c" * 40), "Ada", "a@x", NOW, NOW + timedelta(hours=1), "subject")
    image = Image("infraaudit/p:a", "sha256:1", 10, 1.5, "d1")
    run = TestRun(
        (TestCase("t::a", CaseOutcome.PASSED, 0.1), TestCase("t::b", CaseOutcome.FAILED, 0.2, "boom")), 1.0, "tail", ""
    )
    for _ in range(2):
        history.record_commit("p", commit)
        history.record_image("p", SHA, image)
        history.record_test_run("p", SHA, run)
        history.record_scan("p", _scan(_finding()))
    assert history.image("p", SHA) == image
    assert history.find_image("p", "d1") == (SHA, image)
    assert history.test_run("p", SHA) == run
    assert history.scan("p", SHA) == _scan(_finding())
    tables = (schema.commits, schema.parents, schema.images, schema.test_runs, schema.test_cases, schema.findings)
    assert [_count(history, table) for table in tables] == [1, 2, 1, 1, 2, 1]


def test_what_is_absent_is_none(history: History) -> None:
    assert history.image("p", SHA) is history.test_run("p", SHA) is history.scan("p", SHA) is None
    assert history.live("p", "production") is history.framework_scan("k") is history.find_image("p", "d") is None


def test_a_later_test_run_with_fewer_cases_leaves_none_of_the_old(history: History) -> None:
    history.record_test_run(
        "p", SHA, TestRun((TestCase("a", CaseOutcome.PASSED, 0), TestCase("b", CaseOutcome.PASSED, 0)), 1)
    )
    history.record_test_run("p", SHA, TestRun((TestCase("c", CaseOutcome.PASSED, 0),), 1))
    assert [case.name for case in history.test_run("p", SHA).cases] == ["c"]  # type: ignore[union-attr]


def test_a_scan_that_failed_is_kept_but_never_reused(history: History) -> None:
    history.record_scan("p", _scan(status=ScanStatus.FAILED))
    assert history.framework_scan("k1") is None
    assert history.scan("p", SHA).status is ScanStatus.FAILED  # type: ignore[union-attr]
    history.record_scan("p", _scan(_finding(), status=ScanStatus.PARTIAL))
    assert history.framework_scan("k1").status is ScanStatus.PARTIAL  # type: ignore[union-attr]
    history.record_scan("p", _scan(_finding()))
    assert history.framework_scan("k1").findings == (_finding(),)  # type: ignore[union-attr]


def test_commits_share_the_stored_result_of_an_equal_scan_key(history: History) -> None:
    history.record_scan("p", _scan(_finding()))
    other = replace(_scan(_finding(), reused=True), sha="b" * 40)
    history.record_scan("q", other)
    assert history.scan("q", "b" * 40) == other
    assert _count(history, schema.findings) == 1


def test_what_was_rolled_back_does_not_become_live(history: History) -> None:
    good = Deployment("p", "production", SHA, "container", Outcome.DEPLOYED, NOW, NOW, manifests="m")
    bad = replace(good, sha="b" * 40, outcome=Outcome.ROLLED_BACK, started_at=NOW + timedelta(1), replaced_sha=SHA)
    history.record_deployment(good)
    history.record_deployment(bad)
    history.record_deployment(bad)
    assert history.live("p", "production") == good
    assert history.last_deployment("p", "production", "b" * 40) == bad
    assert _count(history, schema.deployments) == 2


def test_a_fact_that_fails_half_way_leaves_nothing(history: History) -> None:
    broken = replace(_finding("x"), line_start=None)
    with pytest.raises(HistoryError, match="infraaudit doctor"):
        history.record_scan("p", _scan(_finding(), broken))
    assert _count(history, schema.framework_scans) == _count(history, schema.scans) == 0


def test_writers_wait_for_each_other(history: History) -> None:
    def write(number: int) -> None:
        for index in range(10):
            history.record_stage("p", f"{number}-{index}", "s", StageOutcome.SUCCEEDED, NOW, NOW, "r")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _count(history, schema.stages) == 40


@pytest.mark.parametrize("url", ["nonsense", "mysql+nothing://x/y", "sqlite:////proc/none/history.db"])
def test_a_database_that_cannot_be_says_so(url: str) -> None:
    with pytest.raises(HistoryError):
        History(url).migrate()


def test_printed_lines_are_added_up_by_commit_and_level(history: History) -> None:
    history.record_log_counts("p", "staging", "2026-01-01", {("c", "info"): 5, ("c", "error"): 1, ("d", "info"): 9})
    history.record_log_counts("p", "production", "2026-01-01", {("c", "error"): 2})
    history.record_log_counts("p", "staging", "2026-01-02", {("c", "info"): 1})
    history.record_log_counts("p", "staging", "2026-01-01", {("c", "info"): 4})  # An earlier count.
    assert lines_printed(history, "p", "c") == {"info": 6, "error": 3}
    assert lines_printed(history, "p", "nothing") == {}


def test_a_commit_from_the_future_is_from_when_it_was_first_seen(history: History, repository: Repository) -> None:
    usual = repository.write({"a": "1"}, "usual")
    ahead = repository.write_odd("4000000000 +0000")
    mirror, before = repository.mirror(), datetime.now(UTC)

    def times() -> dict[str, datetime]:
        for sha in (ahead, usual):
            history.record_commit("p", mirror.commit(sha))
        return {sha: row["committed_at"] for sha, row in commits_named(history, "p", [ahead, usual]).items()}

    first = times()
    assert before <= first[ahead] <= datetime.now(UTC) and first[usual] == mirror.commit(usual).committed_at
    assert times() == first, "another run of the commit does not change its time"


def test_what_git_holds_that_is_no_utf8_can_be_recorded(history: History, repository: Repository) -> None:
    repository.write({"a": "1"}, "base")
    odd = repository.write_odd(author=b"J\xfcrgen", message=b"f\xfcr")
    repository.git("branch", "feature/f\udcfc")
    mirror = repository.mirror()
    history.record_commit("p", mirror.commit(odd))
    events = [GitEvent("recreated", branch, odd, tip, "") for branch, tip in mirror.branches().items()]
    record_git_events(history, "p", events)
    assert recorded_commits(history, "p") == [odd]
    assert {event.branch for _, event in git_events(history, "p")} == {"main", "feature/f\\xfc"}
