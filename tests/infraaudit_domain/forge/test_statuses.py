"""What a commit's statuses say, from what is known of it."""

from dataclasses import replace

import pytest

from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.forge.statuses import (
    LONGEST_WORDS,
    CommitFacts,
    EnvironmentFacts,
    StatusState,
    expected_of,
    one_line,
    statuses_of,
)
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.projects import Project

GOOD, BAD, NONE, AGAIN = StageOutcome.SUCCEEDED, StageOutcome.FAILED, StageOutcome.SKIPPED, StageOutcome.RETRIED


def run_of(*outcomes: CaseOutcome, reason: str = "") -> TestRun:
    cases = tuple(TestCase(f"test_{n}", outcome, 0.1, "") for n, outcome in enumerate(outcomes))
    return TestRun(cases, 1.0, reason, "")


PASSED, FAILED = run_of(CaseOutcome.PASSED), run_of(CaseOutcome.PASSED, CaseOutcome.FAILED)


SHOP = Project("shop", "https://github.com/acme/shop")


def said(facts: CommitFacts, project: Project = SHOP) -> dict[str, tuple[str, str]]:
    return {
        one.context.removeprefix("infraaudit/shop/"): (one.state.value, one.words)
        for one in statuses_of(project, facts)
    }


def test_nothing_is_said_of_what_has_not_happened() -> None:
    assert said(CommitFacts({})) == {}
    assert said(CommitFacts({"commit": GOOD})) == {}


@pytest.mark.parametrize(
    ("stages", "tests", "image", "of_tests"),
    [
        ({"docker_image": GOOD, "test_results": GOOD}, PASSED, "success", ("success", "1 of 1 passed")),
        ({"docker_image": GOOD, "test_results": BAD}, FAILED, "success", ("failure", "1 of 2 failed")),
        ({"docker_image": GOOD, "test_results": BAD}, None, "success", ("error", "They gave no result")),
        ({"docker_image": GOOD, "test_results": BAD}, PASSED, "success", ("error", "They gave no result")),
        ({"docker_image": GOOD, "test_results": AGAIN}, None, "success", ("pending", "Tried again")),
        ({"docker_image": BAD}, None, "failure", ("error", "Not run: there is no image")),
        ({"docker_image": NONE}, None, "error", ("error", "Not run: there is no image")),
        ({"docker_image": NONE, "test_results": NONE}, None, "error", ("error", "They gave no result")),
        ({"commit": BAD}, None, "error", ("error", "The commit could not be read")),
    ],
)
def test_image_and_tests(
    stages: dict[str, StageOutcome], tests: TestRun | None, image: str, of_tests: tuple[str, str]
) -> None:
    found = said(CommitFacts(stages, tests))
    assert (found["image"][0], found["tests"]) == (image, of_tests)


def test_what_was_not_run_is_never_a_success() -> None:
    for outcome in (BAD, NONE, AGAIN, None):
        stages = {name: outcome for name in ("docker_image", "test_results", "scan_report") if outcome}
        for run in (None, PASSED):
            found = said(CommitFacts(stages, run, Verdict(), 0))
            assert "success" not in {state for state, _ in found.values()}, found


@pytest.mark.parametrize(
    ("outcome", "verdict", "status"),
    [
        (GOOD, Verdict(), ("success", "The gate lets it in; open findings: 4")),
        (GOOD, Verdict(("2 new findings of high",)), ("failure", "2 new findings of high")),
        (GOOD, Verdict(("a", "b", "c")), ("failure", "a (and 2 more)")),
        (GOOD, Verdict(("its scan is failed: /srv/x at 10.0.0.3",)), ("failure", "its scan is failed")),
        (GOOD, Verdict(("3 high, 0 allowed, CKV_1 at a.tf:3",)), ("failure", "3 high, 0 allowed, CKV_1 at a.tf:3")),
        (GOOD, None, ("error", "It was scanned, and could not be judged")),
        (BAD, Verdict(), ("error", "It could not be scanned")),
    ],
)
def test_the_scan_says_what_the_gate_says(
    outcome: StageOutcome, verdict: Verdict | None, status: tuple[str, str]
) -> None:
    assert said(CommitFacts({"scan_report": outcome}, verdict=verdict, open_findings=4)) == {"scan": status}


@pytest.mark.parametrize(
    ("outcome", "failed", "state"),
    [
        (Outcome.DEPLOYED, False, "success"),
        (Outcome.SUPERSEDED, False, "success"),
        (Outcome.WAITING, False, "pending"),
        (Outcome.FROZEN, False, "pending"),
        (Outcome.RUNNING, False, "pending"),
        (Outcome.ROLLED_BACK, False, "failure"),
        (Outcome.DEGRADED, False, "failure"),
        (Outcome.SKIPPED, True, "failure"),
        (Outcome.SKIPPED, False, None),
        (Outcome.INTERRUPTED, False, "pending"),
        (Outcome.INTERRUPTED, True, "error"),
        (Outcome.RUNNING, True, "error"),
        (Outcome.WAITING, True, "error"),
        (Outcome.FROZEN, True, "error"),
        (Outcome.FAILED, True, "failure"),
    ],
)
def test_a_deployment(outcome: Outcome, failed: bool, state: str | None) -> None:
    found = said(CommitFacts({}, environments=(EnvironmentFacts("production", outcome, failed),)))
    assert {name: each[0] for name, each in found.items()} == ({"deploy-production": state} if state else {})


def test_a_project_that_is_only_audited_is_shown_its_scan_alone() -> None:
    facts = CommitFacts({"docker_image": NONE, "test_results": NONE, "scan_report": GOOD}, verdict=Verdict())
    audited = replace(SHOP, audit_only=True)
    assert list(said(facts, audited)) == list(expected_of(audited)) == ["scan"]
    assert list(said(facts)) == list(expected_of(SHOP)) == ["image", "tests", "scan"]


def test_a_verdict_that_stands_is_not_given_again() -> None:
    assert said(CommitFacts({"scan_report": GOOD}, is_judged=True)) == {}
    assert said(CommitFacts({"scan_report": BAD}, is_judged=True)) == {"scan": ("error", "It could not be scanned")}


def test_every_outcome_of_a_deployment_is_known() -> None:
    for outcome in set(Outcome) - {Outcome.SKIPPED}:
        assert said(CommitFacts({}, environments=(EnvironmentFacts("e", outcome),))), outcome


@pytest.mark.parametrize("text", ["x" * 5000, "a\r\nb\tc", "<b>\x1b[31m\x00\u202e", "", "é" * 141, "\ud800" * 200])
def test_words_are_one_short_line(text: str) -> None:
    line = one_line(text)
    assert len(line) <= LONGEST_WORDS and "\n" not in line and "\x1b" not in line
    line.encode()


def test_a_long_reason_keeps_its_beginning_and_how_many_more_there_are() -> None:
    found = said(CommitFacts({"scan_report": GOOD}, verdict=Verdict(("the first " + "x" * 500, "b"))))
    state, words = found["scan"]
    assert state == StatusState.FAILURE and len(words) <= LONGEST_WORDS
    assert words.startswith("the first") and words.endswith("… (and 1 more)")
