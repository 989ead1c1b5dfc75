"""What retention takes of a history and what it leaves, on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest

from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.judging.gate import judge_tests
from infraaudit_domain.projects import Project
from infraaudit_domain.pushes import PushState
from infraaudit_domain.reporting.notices import Notice
from infraaudit_domain.retention import PRUNED, Aging, outdated
from infraaudit_domain.scans.findings import ScanStatus
from infraaudit_domain.triggers import GitEvent
from resources.history import History, schema
from resources.history.decisions.rejections import reject
from resources.history.deployments import deployed_before
from resources.history.git_events import record_git_events
from resources.history.outbox import write_notices
from resources.history.pushes import Push, finish_pushes, store_pushes
from resources.history.retention import aging_commits, in_use, prune, prune_messages, pruned_messages
from service.exporter import HistoryCollector
from tests.resources.history.filled import NOW, SHAS, content, deployment, fill, scan_of
from tests.resources.history.filled import history as history


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


def test_deleted_rows_leave_room(history: History) -> None:
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
