"""Test results as facts. Deliberately absent: running tests (resources/engine/test_runner.py)."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class TestCase:
    """One test of a run."""

    __test__: ClassVar[bool] = False
    name: str
    """``file::class::test`` as far as the report tells."""
    outcome: str
    """passed, failed, error or skipped."""
    seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class TestRun:
    """One run of a commit's tests in its image."""

    __test__: ClassVar[bool] = False
    cases: tuple[TestCase, ...]
    seconds: float
    output_tail: str = ""
    reason: str = ""
    """Why there is no usable report (nothing collected, time limit, memory limit); empty where there is one."""

    def count(self, outcome: str) -> int:
        return sum(case.outcome == outcome for case in self.cases)

    @property
    def succeeded(self) -> bool:
        """Whether at least one test passed, none failed, and the run came to its end."""
        return not self.reason and self.count("passed") > 0 and not self.count("failed") and not self.count("error")
