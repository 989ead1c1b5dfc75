"""What a project's tests are by configuration: none are let through and said; absent ones stop all others."""

from dataclasses import replace

import pytest

from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_plans import BY_CONFIGURATION, NoTests, TestCommand, TestPlan, says_no_tests
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.forge.request_verdicts import RequestResult, RequestVerdict, result_of, status_of
from infraaudit_domain.forge.statuses import TESTS, CommitFacts, context_of, statuses_of
from infraaudit_domain.judging.gate import judge_tests
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.projects import Project

STAGES = {
    "docker_image": StageOutcome.SUCCEEDED,
    "test_results": StageOutcome.SKIPPED,
    "scan_report": StageOutcome.SUCCEEDED,
}
FAILED = TestRun((TestCase("a", CaseOutcome.FAILED, 0.1),), 1.0)
OTHERS: list[TestPlan] = [None, TestCommand(("true",)), TestCommand(("true",), junit="reports/junit.xml")]


def test_none_by_configuration_are_let_through_and_said() -> None:
    for run in (None, FAILED):
        assert judge_tests(run, NoTests()) == Verdict(notes=("no tests",))
        found, reason = result_of(STAGES, ("docker_image",), run, Verdict(), "b" * 40, NoTests())
        assert (found, reason) == (RequestResult.PASSES, "no tests")
    said = status_of("shop", RequestVerdict("b" * 40, found, reason, 0, 0))
    assert said.words == "Would be let in; 0 new, 0 fixed; no tests"


@pytest.mark.parametrize("plan", OTHERS)
def test_absent_ones_stop_under_any_other_configuration(plan: TestPlan) -> None:
    assert judge_tests(None, plan).reasons == ("its tests have not been run",)
    assert not judge_tests(FAILED, plan).passed
    assert result_of(STAGES, ("docker_image",), None, Verdict(), "b" * 40, plan)[0] is RequestResult.UNKNOWN


@pytest.mark.parametrize("plan", [*OTHERS, NoTests()])
def test_the_forge_is_shown(plan: TestPlan) -> None:
    project, context = replace(Project("shop", "x"), tests=plan), context_of("shop", TESTS)
    words = {one.context: (one.state.value, one.words) for one in statuses_of(project, CommitFacts(STAGES))}
    expected = ("success", "No tests") if isinstance(plan, NoTests) else ("error", "They gave no result")
    assert words[context] == expected


def test_no_other_reason_says_that_there_are_none() -> None:
    assert says_no_tests(BY_CONFIGURATION)
    for reason in (None, "", "no test passed (all were skipped, or none was found)", f"{BY_CONFIGURATION} or so"):
        assert not says_no_tests(reason)
