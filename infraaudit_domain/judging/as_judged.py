"""A scan as the gate counts it: what a commit hides is open again, unless the pipeline's own configuration accepts it.

The scans that a commit is compared with are seen by the same rules, so that hiding a finding that stood before neither
closes it nor makes it new. Deliberately absent: the pipeline's suppressions (suppressions.py) and the limits (gate.py).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Literal

from infraaudit_domain.judging.acceptances import AcceptedGap, AcceptedHiding, accepting
from infraaudit_domain.judging.suppressions import Lapsed
from infraaudit_domain.scans.checkov_config import CheckovConfig
from infraaudit_domain.scans.findings import (
    Finding,
    FindingStatus,
    FrameworkScan,
    Scan,
    ScanStatus,
    Severity,
    UnreadableFile,
)
from infraaudit_domain.scans.hidings import CONFIGURATION, INLINE, SCANNER, Hider, Hiding

InlineRule = Literal["accept", "need_reason", "ignore"]
_NO_REASON = {"", "No comment provided"}
"""What Checkov reports of a comment without a reason."""


@dataclass(frozen=True, slots=True)
class Counting:
    """The rules by which what a commit hides counts."""

    day: date
    hidings: Sequence[AcceptedHiding] = ()
    gaps: Sequence[AcceptedGap] = ()
    trusted: CheckovConfig = field(default_factory=CheckovConfig)
    """What hid findings when the project was first scanned is accepted."""
    unskippable: Sequence[str] = ()
    """Patterns of checks whose findings count whatever hides them in the commit."""
    inline: Mapping[Severity, InlineRule] = field(default_factory=dict)
    """Whether Checkov's comments in the code hide a finding; ``accept`` for a severity that is not named."""


class Judged:
    """Sees a scan of a commit with a certain Checkov configuration by the rules of a day."""

    def __init__(self, config: CheckovConfig, rules: Counting) -> None:
        self._hider, self._trusted, self._rules = Hider(config), Hider(rules.trusted), rules

    def scan(self, scan: Scan) -> Scan:
        """The scan with its findings as they count; what a reopened finding says of what hides it stays."""
        parts = (
            replace(part, findings=tuple(f if self._stays(f) else _reopened(f) for f in part.findings))
            for part in scan.frameworks
        )
        return replace(scan, frameworks=tuple(parts))

    def without_accepted_gaps(self, scan: Scan) -> Scan:
        """The scan with those of its gaps that count, and without failed frameworks that may be left out."""
        parts = (self._read(part) for part in scan.frameworks if not self._is_excused(part))
        return replace(scan, frameworks=tuple(parts))

    def lapsed(self, judged: Scan) -> list[Lapsed]:
        """Acceptances that ran out and whose findings count again."""
        hidden = [finding for finding in judged.findings if finding.is_open and finding.suppressed_by == CONFIGURATION]
        ended = (one for one in self._rules.hidings if one.expires < self._rules.day)
        found = ((one, tuple(f for f in hidden if self._is_about(one, f))) for one in ended)
        return [Lapsed(one, findings) for one, findings in found if findings]

    def _is_about(self, one: AcceptedHiding, finding: Finding) -> bool:
        reasons = self._hider.of_finding(finding)
        return any(one.covers(why, finding.framework, finding.check_id) for why in reasons)

    def _is_excused(self, part: FrameworkScan) -> bool:
        """Whether a framework failed that may be left out."""
        if part.status is not ScanStatus.FAILED:
            return False
        reasons = list(self._hider.of_framework(part.framework))
        is_trusted = any(self._trusted.of_framework(part.framework))
        return bool(reasons) and (is_trusted or self._accepts(reasons, part.framework))

    def _read(self, part: FrameworkScan) -> FrameworkScan:
        if not part.unreadable or part.status is ScanStatus.FAILED:
            return part
        gaps = tuple(gap for gap in part.unreadable if not self._may_stay_unread(part.framework, gap))
        status = ScanStatus.PARTIAL if gaps else ScanStatus.COMPLETE
        return replace(part, unreadable=gaps, status=status, reason=part.reason if gaps else "")

    def _stays(self, finding: Finding) -> bool:
        """Whether a finding counts as it is stored: it is open, or what hides it may hide it."""
        if finding.is_open:
            return True
        if any(fnmatchcase(finding.check_id, pattern) for pattern in self._rules.unskippable):
            return False
        return self._is_hidden_inline(finding) or self._is_hidden_by_configuration(finding)

    def _is_hidden_inline(self, finding: Finding) -> bool:
        rule = self._rules.inline.get(finding.severity, "accept")
        has_reason = rule != "need_reason" or finding.suppression_reason.strip() not in _NO_REASON
        return finding.suppressed_by == INLINE and rule != "ignore" and has_reason

    def _is_hidden_by_configuration(self, finding: Finding) -> bool:
        reasons = list(self._hider.of_finding(finding))
        is_trusted = any(self._trusted.of_finding(finding))
        return bool(reasons) and (is_trusted or self._accepts(reasons, finding.framework, finding.check_id))

    def _may_stay_unread(self, framework: str, gap: UnreadableFile) -> bool:
        is_accepted = accepting(self._rules.gaps, framework, gap.path, self._rules.day) is not None
        if is_accepted or gap.hidden_by == SCANNER:
            return True
        reasons = list(self._hider.of_file(gap.path, framework))
        is_trusted = any(self._trusted.of_file(gap.path, framework))
        return bool(reasons) and (is_trusted or self._accepts(reasons, framework))

    def _accepts(self, reasons: Iterable[Hiding], framework: str, check_id: str = "") -> bool:
        counted = [one for one in self._rules.hidings if one.counts_on(self._rules.day)]
        return any(one.covers(why, framework, check_id) for why in reasons for one in counted)


def hidden_counts(judged: Scan) -> Counter[str]:
    """How many findings a commit hides by comments and by its configuration, and how many of them count all the same."""
    hidden = [finding for finding in judged.findings if finding.suppressed_by]
    counted = Counter(f"hidden by {finding.suppressed_by}" for finding in hidden if not finding.is_open)
    return counted + Counter(f"counted though hidden by {f.suppressed_by}" for f in hidden if f.is_open)


def _reopened(finding: Finding) -> Finding:
    return replace(finding, status=FindingStatus.OPEN)
