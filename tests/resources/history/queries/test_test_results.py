"""A result answers for equal inputs only where the tests have never failed with them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from resources.history import History
from resources.history.queries.test_results import always_passed
from resources.history.retention import prune
from tests.resources.databases import DATABASES, fresh_history

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OLD, NEW, OTHER = ("a" * 40, "b" * 40, "c" * 40)


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    for history in fresh_history(request.param, tmp_path, needs, request):
        for hours, sha in enumerate((OLD, NEW, OTHER)):
            at = NOW + timedelta(hours=hours)
            history.record_commit("p", Commit(sha, "t", (), "Ada", "a@x", at, at, "subject"))
        yield history


def run(outcome: CaseOutcome = CaseOutcome.PASSED, **changes: str) -> TestRun:
    return TestRun((TestCase("t::a", outcome, 0.1),), 1.0, **({"inputs_digest": "d"} | changes))


def test_the_newest_commit_that_ran_them_answers(history: History) -> None:
    history.record_test_run("p", OLD, run())
    history.record_test_run("p", NEW, run())
    history.record_test_run("p", OTHER, run(reused_from=NEW))
    assert always_passed(history, "p", "d") == (NEW, run())
    assert history.test_run("p", OTHER) == run(reused_from=NEW)
    assert always_passed(history, "p", "e") is always_passed(history, "q", "d") is None


@pytest.mark.parametrize(
    "bad",
    [run(CaseOutcome.FAILED), run(CaseOutcome.ERROR), run(CaseOutcome.SKIPPED), run(reason="no end after 900 s")],
    ids=["failed", "error", "only skipped", "no report"],
)
def test_one_failure_with_the_same_inputs_is_enough(history: History, bad: TestRun) -> None:
    history.record_test_run("p", OLD, bad)
    history.record_test_run("p", NEW, run())
    assert always_passed(history, "p", "d") is None


def test_a_failure_that_a_second_run_replaced_counts(history: History) -> None:
    history.record_stage("p", OLD, "test_results", StageOutcome.FAILED, NOW, NOW, "run", "1 of 1 tests failed")
    history.record_test_run("p", OLD, run())
    assert always_passed(history, "p", "d") is None


def test_a_result_whose_cases_were_pruned_answers_for_no_new_commit(history: History) -> None:
    history.record_test_run("p", OLD, run())
    prune(history, "p", [OLD])
    assert always_passed(history, "p", "d") is None, "the tests run once more, and the commit has its list of cases"
    history.record_test_run("p", NEW, run())
    assert always_passed(history, "p", "d") == (NEW, run()), "the pruned result is no failure"
