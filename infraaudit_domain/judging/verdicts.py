"""What a gate answers: a verdict with its reasons. Deliberately absent: the judgement itself (gate.py, live.py)."""

from collections.abc import Iterable
from dataclasses import dataclass

from infraaudit_domain.scans.findings import Finding


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the gate opens; every reason where it does not, and the findings that the reasons are about."""

    reasons: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    """What it leaves out of account, and why."""

    @property
    def passed(self) -> bool:
        return not self.reasons

    def __str__(self) -> str:
        return "; ".join(self.reasons) or "passed"


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict of several: every reason, and every finding once."""
    kept = list(verdicts)
    reasons = tuple(reason for verdict in kept for reason in verdict.reasons)
    findings = tuple(dict.fromkeys(finding for verdict in kept for finding in verdict.findings))
    return Verdict(reasons, findings, tuple(note for verdict in kept for note in verdict.notes))
