"""Test results as facts. Deliberately absent: running tests (resources/engine/test_runner.py)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar


class CaseOutcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    """It broke outside of the test itself: in a fixture, or while it was collected."""
    SKIPPED = "skipped"


COUNTS = {outcome: outcome.value for outcome in CaseOutcome} | {CaseOutcome.ERROR: "errors"}
"""What each outcome's number of cases is called in tables and JSON."""


@dataclass(frozen=True, slots=True)
class TestCase:
    """One test of a run."""

    __test__: ClassVar[bool] = False
    name: str
    """``file::class::test``, as far as the report has them."""
    outcome: CaseOutcome
    seconds: float
    message: str = ""

    @property
    def is_bad(self) -> bool:
        return self.outcome in (CaseOutcome.FAILED, CaseOutcome.ERROR)


@dataclass(frozen=True, slots=True)
class TestRun:
    """One run of a commit's tests in its image."""

    __test__: ClassVar[bool] = False
    cases: tuple[TestCase, ...]
    seconds: float
    output_tail: str = ""
    reason: str = ""
    """Why there is no usable report (nothing collected, time limit, memory limit); empty where there is one."""
    inputs_digest: str | None = None
    """What the result depends on: image, path, limits and engine; None where it was not recorded."""
    reused_from: str | None = None
    """The commit whose tests ran; None where this commit's own did."""

    pruned: Mapping[str, int] | None = field(default=None, hash=False)
    """The counts of a run whose cases the retention removed; None where the cases are there."""

    def count(self, outcome: CaseOutcome) -> int:
        if self.pruned is not None:
            return self.pruned[COUNTS[outcome]]
        return sum(case.outcome is outcome for case in self.cases)

    @property
    def counts(self) -> dict[str, int]:
        return {name: self.count(outcome) for outcome, name in COUNTS.items()}

    @property
    def bad_cases(self) -> tuple[TestCase, ...]:
        """Those that are still listed; their number is :attr:`bad`."""
        return tuple(case for case in self.cases if case.is_bad)

    @property
    def bad(self) -> int:
        return self.count(CaseOutcome.FAILED) + self.count(CaseOutcome.ERROR)

    @property
    def succeeded(self) -> bool:
        """Whether at least one test passed, none failed, and the run completed."""
        return not self.reason and self.count(CaseOutcome.PASSED) > 0 and not self.bad
