"""Evidence under another rating of checks: to see what the gate would say before the rating is changed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from infraaudit_domain.judging.gate import Evidence
from infraaudit_domain.scans.findings import Finding, Severity


def rated(evidence: Evidence, severities: Mapping[str, Severity]) -> Evidence:
    """The same evidence with other severities; a check that they lack is unknown."""

    def of(findings: Sequence[Finding]) -> tuple[Finding, ...]:
        return tuple(replace(f, severity=severities.get(f.check_id, Severity.UNKNOWN)) for f in findings)

    scan = evidence.scan
    parts = tuple(replace(part, findings=of(part.findings)) for part in scan.frameworks) if scan else ()
    return replace(
        evidence,
        scan=replace(scan, frameworks=parts) if scan else None,
        unread=of(evidence.unread),
        new=of(evidence.new),
        not_live=None if evidence.not_live is None else of(evidence.not_live),
        lapsed=tuple(replace(one, findings=of(one.findings)) for one in evidence.lapsed),
    )
