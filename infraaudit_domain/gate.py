"""The gate: may this commit be deployed to an environment? A pure judgement with its reasons.

It fails closed: a fact that is missing is a reason. Deliberately absent: reading the policy file or the history.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from infraaudit_domain.findings import Finding, Scan, ScanStatus, Severity
from infraaudit_domain.suppressions import Lapsed
from infraaudit_domain.test_runs import CaseOutcome, TestRun

Limits = Mapping[Severity, int]
"""The most findings allowed by severity; a severity that is not named has no limit."""


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """The limits; only open findings count."""

    open: Limits = field(default_factory=dict)
    new: Limits = field(default_factory=lambda: {Severity.CRITICAL: 0})
    """Against the first parent."""
    new_in_environment: Limits = field(default_factory=dict)
    """Against what is live in the environment."""
    max_age_days: Mapping[Severity, float] = field(default_factory=dict)
    """How long a finding of a severity may stay open (the SLA), in days."""
    allow_partial: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts about a commit that the gate depends on."""

    scan: Scan | None
    new: Sequence[Finding] = ()
    """Open here and not in the nearest first parent with a complete scan; none where there is no such parent."""
    not_live: Sequence[Finding] | None = ()
    """Open here and not in what is live; none where nothing is live, None where what is live has no complete scan."""
    age_days: Mapping[str, float] | None = field(default_factory=dict)
    """How long each open finding has been open, by fingerprint; None where that is not known."""
    lapsed: Sequence[Lapsed] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the gate opens; every reason where it does not, and the findings that the reasons are about."""

    reasons: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

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
    if bad := run.bad_cases:
        return Verdict((f"{len(bad)} of {len(run.cases)} tests failed, the first is {bad[0].name}",))
    if not run.count(CaseOutcome.PASSED):
        return Verdict(("no test passed (all were skipped, or none was found)",))
    return Verdict()


def judge_scan(policy: GatePolicy, evidence: Evidence) -> Verdict:
    """A scan opens the gate when it is complete (or partial, where that is allowed) and within every limit."""
    scan = evidence.scan
    if scan is None:
        return Verdict(("it has not been scanned",))
    still_open = [finding for finding in scan.findings if finding.is_open]
    verdicts = (
        _judge_status(policy, scan),
        _within(policy.open, still_open, "open"),
        _within(policy.new, evidence.new, "new"),
        _judge_against_live(policy, evidence.not_live),
        _judge_ages(policy, still_open, evidence.age_days),
        *(_judge_lapsed(one) for one in evidence.lapsed),
    )
    return all_of(verdicts)


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict of several: every reason, and every finding once."""
    kept = list(verdicts)
    reasons = tuple(reason for verdict in kept for reason in verdict.reasons)
    return Verdict(reasons, tuple(dict.fromkeys(finding for verdict in kept for finding in verdict.findings)))


def _judge_status(policy: GatePolicy, scan: Scan) -> Verdict:
    if scan.status is ScanStatus.COMPLETE or (scan.status is ScanStatus.PARTIAL and policy.allow_partial):
        return Verdict()
    why = next((part.reason for part in scan.frameworks if part.reason), "")
    return Verdict((f"its scan is {scan.status.value}" + (f": {why}" if why else ""),))


def _judge_against_live(policy: GatePolicy, not_live: Sequence[Finding] | None) -> Verdict:
    if not_live is None:
        unknown = "what is live has no complete scan, so that what would be new there is not known; scan it"
        return Verdict((unknown,)) if policy.new_in_environment else Verdict()
    return _within(policy.new_in_environment, not_live, "new in the environment")


def _judge_ages(policy: GatePolicy, still_open: Sequence[Finding], age_days: Mapping[str, float] | None) -> Verdict:
    if not policy.max_age_days:
        return Verdict()
    if age_days is None:
        return Verdict(("how long its findings have stood is not known",))
    return all_of(_judge_age(severity, days, still_open, age_days) for severity, days in policy.max_age_days.items())


def _judge_age(
    severity: Severity, days: float, still_open: Sequence[Finding], age_days: Mapping[str, float]
) -> Verdict:
    # A finding of unknown age counts as too old.
    late = [f for f in still_open if f.severity is severity and age_days.get(f.fingerprint, days + 1) > days]
    if not late:
        return Verdict()
    oldest = max(late, key=lambda finding: age_days.get(finding.fingerprint, days + 1))
    age = age_days.get(oldest.fingerprint)
    since = f"{age:.0f} days" if age is not None else "an unknown time"
    words = f"{len(late)} open {severity} findings are older than the {days:g} days that are allowed"
    return Verdict((f"{words}, the oldest for {since}: {_location(oldest)}",), tuple(late))


def _judge_lapsed(one: Lapsed) -> Verdict:
    hidden, decision = one.findings, one.suppression
    words = f"the suppression of {decision} by {decision.owner} ended on {decision.expires}"
    return Verdict(
        (f"{words} and {len(hidden)} open findings match it: fix them, or decide again, {_location(hidden[0])}",),
        hidden,
    )


def _within(limits: Limits, findings: Sequence[Finding], word: str) -> Verdict:
    return all_of(
        Verdict(
            (f"{len(found)} {word} {severity} findings, {limit} allowed, for example {_location(found[0])}",), found
        )
        for severity, limit in limits.items()
        if len(found := tuple(f for f in findings if f.severity is severity)) > limit
    )


def _location(finding: Finding) -> str:
    return f"{finding.check_id} at {finding.file_path}:{finding.line_start}"
