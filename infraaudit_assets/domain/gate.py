"""The gate: may this commit go on to an environment? A pure judgement with its reasons.

It fails closed: a fact that is missing is a reason. Deliberately absent: reading the policy file or the history.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infraaudit_assets.domain.findings import Finding, Scan, ScanStatus, Severity
from infraaudit_assets.domain.test_runs import TestRun


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """The most findings of a severity that are let through; a severity that is not named has no limit."""

    open: Mapping[Severity, int] = field(default_factory=dict)
    new: Mapping[Severity, int] = field(default_factory=lambda: {Severity.CRITICAL: 0})
    """Against the first parent."""
    allow_partial: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the gate opens; every reason where it does not."""

    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.reasons

    def __str__(self) -> str:
        return "; ".join(self.reasons) or "passed"


def judge_tests(run: TestRun | None) -> Verdict:
    """Tests open the gate when at least one passed and none failed."""
    if run is None:
        return Verdict(("its tests have not been run",))
    if run.reason:
        return Verdict((f"its tests gave no result: {run.reason}",))
    bad = run.count("failed") + run.count("error")
    if bad:
        first = next(case.name for case in run.cases if case.outcome in ("failed", "error"))
        return Verdict((f"{bad} of {len(run.cases)} tests failed, the first is {first}",))
    return Verdict() if run.count("passed") else Verdict(("no test passed (all were skipped, or none was found)",))


def judge_scan(policy: GatePolicy, scan: Scan | None, new: Sequence[Finding]) -> Verdict:
    """A scan opens the gate when it is complete (or partial, where that is allowed) and within the limits."""
    if scan is None:
        return Verdict(("it has not been scanned",))
    reasons = []
    if scan.status is ScanStatus.FAILED or (scan.status is ScanStatus.PARTIAL and not policy.allow_partial):
        why = next((part.reason for part in scan.frameworks if part.reason), "")
        reasons.append(f"its scan is {scan.status.value}" + (f": {why}" if why else ""))
    still_open = [finding for finding in scan.findings if finding.status == "open"]
    reasons += _beyond(policy.open, still_open, "open")
    reasons += _beyond(policy.new, new, "new")
    return Verdict(tuple(reasons))


def _beyond(limits: Mapping[Severity, int], findings: Sequence[Finding], word: str) -> list[str]:
    counts = Counter(finding.severity for finding in findings)
    return [
        f"{counts[severity]} {word} {severity.value} findings, {limit} allowed, for example "
        + next(f"{f.check_id} at {f.file_path}:{f.line_start}" for f in findings if f.severity is severity)
        for severity, limit in limits.items()
        if counts[severity] > limit
    ]
