"""Open findings over commits."""

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from infraaudit_domain.findings import FindingStatus, Severity
from resources.history import schema
from resources.history.store import History


def open_by_severity(history: History, project: str, shas: Sequence[str]) -> dict[str, dict[Severity, int]]:
    """Open findings by severity of every commit that was scanned; one without findings has an empty entry."""
    scans, parts, findings = schema.scans, schema.scan_parts, schema.findings
    scanned = sa.select(scans.c.sha).where(scans.c.project == project, scans.c.sha.in_(shas))
    counted = (
        sa.select(parts.c.sha, findings.c.severity, sa.func.count())
        .join(findings, findings.c.scan_key == parts.c.scan_key)
        .where(parts.c.project == project, parts.c.sha.in_(shas), findings.c.status == FindingStatus.OPEN.value)
        .group_by(parts.c.sha, findings.c.severity)
    )
    with history.reading() as connection:
        counts: dict[str, dict[Severity, int]] = {sha: {} for sha in connection.execute(scanned).scalars()}
        for sha, severity, number in connection.execute(counted):
            counts.setdefault(sha, defaultdict(int))[Severity(severity)] = number
    return counts
