"""Would what is live be let in today? When that is asked again, and what the answer was.

What does not pass stays live: people decide what to do. Deliberately absent: the gate's own rules (gate.py), and the
clock.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from infraaudit_domain.judging.verdicts import Verdict

AT_LEAST_EVERY = timedelta(hours=3)
"""Ages grow and acceptances end without a change of any file."""


@dataclass(frozen=True, slots=True)
class LiveJudgement:
    """What the rules of a day say of the commit that is live in an environment."""

    project: str
    environment: str
    sha: str
    verdict: Verdict
    rules: str
    """A digest of the rules that it was judged by."""
    judged_at: datetime

    @property
    def passes(self) -> bool:
        return self.verdict.passed

    @property
    def cause(self) -> str:
        """The same for what does not pass for the same reasons and findings, however long that lasts."""
        reasons = sorted(re.sub(r"\d+", "#", reason) for reason in self.verdict.reasons)
        findings = sorted(finding.fingerprint for finding in self.verdict.findings)
        return hashlib.sha256("\n".join([*reasons, *findings]).encode()).hexdigest()[:16]

    def __str__(self) -> str:
        words = "would be let in today" if self.passes else f"would not be let in today: {self.verdict}"
        return f"{self.sha[:12]} in {self.environment} {words}"


@dataclass(frozen=True, slots=True)
class JudgedBefore:
    """The judgement before, as far as the next one depends on it."""

    sha: str
    rules: str
    judged_at: datetime


def is_due(before: JudgedBefore | None, sha: str, rules: str, now: datetime) -> bool:
    """Whether what is live is to be judged now: it is another commit, the rules changed, or time has passed."""
    if before is None or (before.sha, before.rules) != (sha, rules):
        return True
    return now - before.judged_at >= AT_LEAST_EVERY
