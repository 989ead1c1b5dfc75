"""The gate: may this commit be deployed to an environment? A pure judgement with its reasons.

It fails closed: a fact that is missing is a reason. Deliberately absent: reading the policy file or the history.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from infraaudit_domain.ages import Age
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
    """How long a finding of a severity may stand (the SLA), in days."""
    unknown_age: Literal["block", "allow"] = "block"
    """What happens where a finding may be older than that, and nobody knows."""
    allow_partial: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts about a commit that the gate depends on."""

    scan: Scan | None
    new: Sequence[Finding] = ()
    """Open here and not known to have been open in the nearest first parent that was scanned, or, where that did not
    read the file, in one before; none where there is no such parent."""
    not_live: Sequence[Finding] | None = ()
    """Open here and not in what is live; none where nothing is live, None where what is live has no scan."""
    ages: Mapping[str, Age] | None = field(default_factory=dict)
    """How long each open finding has stood, by fingerprint; None where that is not known."""
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
        _judge_ages(policy, still_open, evidence.ages),
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
        unknown = "what is live has no usable scan, so that what would be new there is not known; scan it"
        return Verdict((unknown,)) if policy.new_in_environment else Verdict()
    return _within(policy.new_in_environment, not_live, "new in the environment")


def _judge_ages(policy: GatePolicy, still_open: Sequence[Finding], ages: Mapping[str, Age] | None) -> Verdict:
    if not policy.max_age_days:
        return Verdict()
    if ages is None:
        return Verdict(("how long its findings have stood is not known",))
    return all_of(
        verdict
        for severity, days in policy.max_age_days.items()
        for verdict in _judge_age(policy, [f for f in still_open if f.severity is severity], days, ages)
    )


def _judge_age(
    policy: GatePolicy, findings: Sequence[Finding], days: float, ages: Mapping[str, Age]
) -> Iterator[Verdict]:
    unknown = Age(0.0, None)
    late = [f for f in findings if ages.get(f.fingerprint, unknown).at_least > days]
    if late:
        oldest = max(late, key=lambda finding: ages[finding.fingerprint].at_least)
        words = f"{len(late)} open {oldest.severity} findings are older than the {days:g} days that are allowed"
        since = f"{ages[oldest.fingerprint].at_least:.0f} days"
        yield Verdict((f"{words}, the oldest for {since}: {_location(oldest)}",), tuple(late))
    open_ended = (f for f in findings if (most := ages.get(f.fingerprint, unknown).at_most) is None or most > days)
    perhaps = [finding for finding in open_ended if finding not in late]
    if perhaps and policy.unknown_age == "block":
        words = (
            f"{len(perhaps)} open {perhaps[0].severity} findings may be older than the {days:g} days that are allowed"
        )
        why = "no commit that lacks them was scanned: scan the commits before, or set unknown_age: allow"
        yield Verdict((f"{words}; {why}, for example {_location(perhaps[0])}",), tuple(perhaps))


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
