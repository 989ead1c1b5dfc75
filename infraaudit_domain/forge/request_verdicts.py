"""What is said of a request's head once its stages have ended: would it be let in?

It fails closed: what was not run, or not compared, is not known, and never passes. Deliberately absent: the gate itself
(../judging/gate.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_plans import NoTests, TestPlan
from infraaudit_domain.delivery.test_runs import TestRun
from infraaudit_domain.forge.statuses import CommitStatus, StatusState, context_of, one_line
from infraaudit_domain.judging.gate import judge_tests
from infraaudit_domain.judging.verdicts import Verdict

_ENDED = (StageOutcome.SUCCEEDED, StageOutcome.FAILED, StageOutcome.SKIPPED)
_NO_IMAGE = (StageOutcome.FAILED, StageOutcome.SKIPPED)
CONTEXT = "request"
"""The stage in the context of the status that says what was found of a request."""


class RequestResult(StrEnum):
    PASSES = "passes"
    FAILS = "fails"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RequestVerdict:
    """What was found of a request's head."""

    base: str
    """The scanned commit that it was compared with, at or before the merge base; empty where there is none."""
    verdict: RequestResult
    reason: str
    new: int | None = None
    fixed: int | None = None
    not_live: int | None = None
    """Open findings that stand in nothing that is live."""


_STATES = {
    RequestResult.PASSES: StatusState.SUCCESS,
    RequestResult.FAILS: StatusState.FAILURE,
    RequestResult.UNKNOWN: StatusState.ERROR,
}


def have_ended(stages: Mapping[str, StageOutcome], images: Sequence[str]) -> bool:
    """Whether a head's stages have ended; ``images`` are the stages that build it, none where it is only scanned."""
    if stages.get("commit") is StageOutcome.FAILED:
        return True
    if any(stages.get(name) not in _ENDED for name in ("scan_report", *images)):
        return False
    return not images or stages[images[0]] in _NO_IMAGE or stages.get("test_results") in _ENDED


def result_of(
    stages: Mapping[str, StageOutcome],
    images: Sequence[str],
    tests: TestRun | None,
    gate: Verdict | None,
    base: str,
    plan: TestPlan = None,
) -> tuple[RequestResult, str]:
    """Whether a head would be let in, and why not; ``gate`` is None where its scan could not be judged."""
    if failed := [name for name in images if stages.get(name) is StageOutcome.FAILED]:
        return RequestResult.FAILS, f"{failed[0]} could not be built"
    tested = judge_tests(tests, plan) if images else Verdict()
    if not tested.passed and tests is not None and tests.bad:
        return RequestResult.FAILS, str(tested)
    if gate is not None and not gate.passed:
        return RequestResult.FAILS, str(gate)
    if gate is None or stages.get("scan_report") is not StageOutcome.SUCCEEDED:
        return RequestResult.UNKNOWN, "it could not be scanned or judged"
    if not tested.passed:
        return RequestResult.UNKNOWN, str(tested)
    if missing := [name for name in images if stages.get(name) is not StageOutcome.SUCCEEDED]:
        return RequestResult.UNKNOWN, f"{missing[0]} was not built"
    if images and not isinstance(plan, NoTests) and stages.get("test_results") is not StageOutcome.SUCCEEDED:
        # A result may be left from a run before the newest.
        return RequestResult.UNKNOWN, "its tests did not run to their end"
    if not base:
        return RequestResult.UNKNOWN, "nothing before its branch was scanned, so that nobody knows what is new"
    said = "; ".join(tested.notes) if images else "by its scan alone; nothing of it was built or run"
    return RequestResult.PASSES, said


def status_of_all(project: str, found: Sequence[RequestVerdict | None]) -> CommitStatus:
    """The worst verdict over the open requests of one head, which share its status; None is one that is not judged yet."""
    judged = [one for one in found if one]
    for result in (RequestResult.FAILS, RequestResult.UNKNOWN):
        if worst := next((one for one in judged if one.verdict is result), None):
            return status_of(project, worst)
    if not judged or len(judged) < len(found):
        return CommitStatus(context_of(project, CONTEXT), StatusState.PENDING, "To be judged for its target branch")
    return status_of(project, judged[0])


def status_of(project: str, found: RequestVerdict) -> CommitStatus:
    """The verdict in a line; it has numbers and the gate's reasons, and nothing that a tool printed."""
    counts = [(found.new, "new"), (found.fixed, "fixed"), (found.not_live, "would go live")]
    numbers = ", ".join(f"{number} {what}" for number, what in counts if number is not None)
    # What follows a colon may be what a scanner or a test printed.
    reason = found.reason.partition(": ")[0]
    said = {RequestResult.PASSES: "Would be let in", RequestResult.FAILS: "Would be stopped"}
    words = "; ".join(filter(None, (said.get(found.verdict, "Not known"), numbers, reason)))
    return CommitStatus(context_of(project, CONTEXT), _STATES[found.verdict], one_line(words))
