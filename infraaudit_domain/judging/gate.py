"""The gate: may this commit be deployed to an environment? A pure judgement with its reasons.

It fails closed: a fact that is missing is a reason. Deliberately absent: reading the policy file or the history.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from infraaudit_domain.delivery.test_plans import NO_TESTS, NoTests, TestPlan
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestRun
from infraaudit_domain.judging.acceptances import AcceptedHiding
from infraaudit_domain.judging.ages import Age
from infraaudit_domain.judging.as_judged import InlineRule, hidden_counts
from infraaudit_domain.judging.suppressions import Lapsed
from infraaudit_domain.judging.verdicts import Verdict, all_of
from infraaudit_domain.scans.findings import Finding, Scan, ScanStatus, Severity
from infraaudit_domain.scans.hidings import CONFIGURATION

REPORT, BLOCK = math.inf, 0.0
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
    required_frameworks: Sequence[str] = ()
    """Frameworks of Checkov without whose result nothing passes."""
    unskippable_checks: Sequence[str] = ()
    """Patterns of checks whose findings count whatever hides them in the commit."""
    inline_suppressions: Mapping[Severity, InlineRule] = field(default_factory=dict)
    accepted_hidings: Sequence[AcceptedHiding] = ()
    """What the Checkov configuration of any project's commits may hide."""
    on_new_rules: float = REPORT
    """After how many days a finding counts as new that another scanner, rule or configuration brought, and no code."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts about a commit that the gate depends on."""

    scan: Scan | None
    """As it counts (as_judged.py), without what the pipeline's suppressions hide."""
    unread: Sequence[Finding] = ()
    """Open before, in files that the scan did not read, and not known to be gone: they count as open."""
    new: Sequence[Finding] = ()
    """Open here and not known to have been open in the nearest first parent that was scanned, or, where that did not
    read the file, in one before; none where there is no such parent."""
    not_live: Sequence[Finding] | None = ()
    """Open here and not in what is live; none where nothing is live, None where what is live has no scan."""
    ages: Mapping[str, Age] | None = field(default_factory=dict)
    """How long each open finding has stood, by fingerprint; None where that is not known."""
    lapsed: Sequence[Lapsed] = ()
    by_rules: Mapping[str, float] = field(default_factory=dict)
    """Of the new findings those that are proven to be no code's doing, with the days since their rule arrived."""
    not_live_by_rules: Mapping[str, float] = field(default_factory=dict)
    """The same of those that are not live."""
    standing_by_rules: Mapping[str, float] = field(default_factory=dict)
    """The same of all open findings; a time of grace ends for those that stood before, too."""


def judge_tests(run: TestRun | None, plan: TestPlan = None) -> Verdict:
    """Tests open the gate when at least one passed and none failed, or when the pipeline's configuration has none."""
    if isinstance(plan, NoTests):
        return Verdict(notes=(NO_TESTS,))
    if run is None:
        return Verdict(("its tests have not been run",))
    if run.reason:
        return Verdict((f"its tests gave no result: {run.reason}",))
    if run.bad:
        first = f", the first is {run.bad_cases[0].name}" if run.bad_cases else ""
        return Verdict((f"{run.bad} of {sum(run.counts.values())} tests failed{first}",))
    if not run.count(CaseOutcome.PASSED):
        return Verdict(("no test passed (all were skipped, or none was found)",))
    return Verdict()


def judge_scan(policy: GatePolicy, evidence: Evidence) -> Verdict:
    """A scan opens the gate when it is complete (or partial, where that is allowed) and within every limit."""
    scan = evidence.scan
    if scan is None:
        return Verdict(("it has not been scanned",))
    still_open = [*(finding for finding in scan.findings if finding.is_open), *evidence.unread]
    verdicts = (
        *(_judge_required(name, scan) for name in policy.required_frameworks),
        _judge_status(policy, scan),
        _within(policy.open, still_open, "open {} findings"),
        _within(
            policy.new,
            [*_by_code(policy, evidence.new, evidence.by_rules), *_overdue(policy, evidence)],
            "new {} findings",
        ),
        _judge_against_live(policy, evidence),
        _judge_ages(policy, still_open, evidence.ages),
        *(_judge_lapsed(one) for one in evidence.lapsed),
    )
    return replace(all_of(verdicts), notes=tuple(_notes(policy, evidence, scan)))


def _by_code(policy: GatePolicy, findings: Sequence[Finding], by_rules: Mapping[str, float]) -> list[Finding]:
    """Findings without those that a rule brought whose time of grace has not ended."""
    return [f for f in findings if by_rules.get(f.fingerprint, math.inf) >= policy.on_new_rules]


def _overdue(policy: GatePolicy, evidence: Evidence) -> list[Finding]:
    """Findings that stood before and that a rule brought whose time of grace has ended."""
    if evidence.scan is None or policy.on_new_rules in (REPORT, BLOCK):
        return []
    known = {finding.fingerprint for finding in evidence.new}
    days = evidence.standing_by_rules
    late = {mark for mark, age in days.items() if age >= policy.on_new_rules and mark not in known}
    return [finding for finding in evidence.scan.findings if finding.is_open and finding.fingerprint in late]


def _notes(policy: GatePolicy, evidence: Evidence, scan: Scan) -> Iterator[str]:
    yield from (f"{number} findings {what}" for what, number in sorted(hidden_counts(scan).items()))
    for found, days, words in (
        (evidence.new, evidence.by_rules, "new findings"),
        (evidence.not_live or (), evidence.not_live_by_rules, "findings new in the environment"),
    ):
        if left_out := len(found) - len(_by_code(policy, found, days)):
            yield f"{left_out} {words} do not count: another scanner, rule or configuration brought them"


def _judge_required(framework: str, scan: Scan) -> Verdict:
    part = next((part for part in scan.frameworks if part.framework == framework), None)
    if part is None:
        return Verdict((f"it was not scanned by {framework}, which is required",))
    if part.status is ScanStatus.FAILED:
        return Verdict((f"its scan by {framework}, which is required, failed: {part.reason}",))
    return Verdict()


def _judge_status(policy: GatePolicy, scan: Scan) -> Verdict:
    if scan.status is ScanStatus.COMPLETE or (scan.status is ScanStatus.PARTIAL and policy.allow_partial):
        return Verdict()
    listed = ((f.part_of or f.path, part.framework, f.reason) for part in scan.frameworks for f in part.unreadable)
    gaps = list(dict.fromkeys(listed))  # the templates of a chart are one
    if any(part.status is ScanStatus.FAILED for part in scan.frameworks) or not gaps:
        why = next((part.reason for part in scan.frameworks if part.reason), "")
    else:
        named = ", ".join(f"{path} by {framework} ({reason})" for path, framework, reason in gaps[:3])
        why = f"{len(gaps)} gaps that nobody accepted, {named}{', …' if len(gaps) > 3 else ''}"
        why += "; repair them, or accept them under accepted_gaps beside the suppressions"
    return Verdict((f"its scan is {scan.status.value}" + (f": {why}" if why else ""),))


def _judge_against_live(policy: GatePolicy, evidence: Evidence) -> Verdict:
    if evidence.not_live is None:
        unknown = "what is live has no usable scan, so that what would be new there is not known; scan it"
        return Verdict((unknown,)) if policy.new_in_environment else Verdict()
    counted = _by_code(policy, evidence.not_live, evidence.not_live_by_rules)
    return _within(policy.new_in_environment, counted, "{} findings new in the environment")


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
    hidden, decision = one.findings, one.decision
    words = f"the {decision.title} by {decision.owner} ended on {decision.expires}"
    return Verdict(
        (f"{words} and {len(hidden)} open findings match it: fix them, or decide again, {_location(hidden[0])}",),
        hidden,
    )


def _within(limits: Limits, findings: Sequence[Finding], words: str) -> Verdict:
    """``words`` say of which findings, with the severity in their place."""
    return all_of(
        Verdict((f"{len(found)} {words.format(severity)}, {limit} allowed, {_example(found)}",), found)
        for severity, limit in limits.items()
        if len(found := tuple(f for f in findings if f.severity is severity)) > limit
    )


def _example(findings: Sequence[Finding]) -> str:
    words = f"for example {_location(findings[0])}"
    hidden = [finding for finding in findings if finding.suppressed_by]
    if not hidden:
        return words
    one = hidden[0]
    words = f"for example {_location(one)}; the commit hides {len(hidden)} of them"
    if one.suppressed_by == CONFIGURATION:
        how = "which counts once accepted_hidings of the pipeline's gate.yaml or suppressions accept it"
        return f"{words}, here by {one.suppression_reason}, {how}"
    return f"{words}, here by a comment, which inline_suppressions or unskippable_checks of gate.yaml do not accept"


def _location(finding: Finding) -> str:
    return f"{finding.check_id} at {finding.file_path}:{finding.line_start}"
