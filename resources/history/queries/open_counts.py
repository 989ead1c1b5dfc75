"""Open findings over commits."""

from collections import Counter
from collections.abc import Sequence

import sqlalchemy as sa

from infraaudit_domain.scans.findings import FindingStatus, ScanStatus, Severity
from resources.history import schema
from resources.history.queries.commit_findings import postures
from resources.history.stored_line import StoredLine


def open_by_severity(line: StoredLine, shas: Sequence[str]) -> dict[str, Counter[Severity]]:
    """Open findings by severity of every commit that was scanned; a scan that failed says nothing.

    Along the line those count, too, that a commit's scan did not read; for a commit beside it, what its own scan found.
    """
    scanned = _scanned(line, shas)
    positions = {sha: position for sha, position in line.positions().items() if sha in scanned}
    counts = _found(line, scanned - positions.keys())
    if positions:
        first = min(positions.values())
        standing = postures(line, first, max(positions.values()))
        counts |= {sha: standing[position - first].open for sha, position in positions.items()}
    return counts


def _scanned(line: StoredLine, shas: Sequence[str]) -> set[str]:
    table = schema.scans
    wanted = (table.c.project == line.project) & table.c.sha.in_(shas) & (table.c.status != ScanStatus.FAILED.value)
    return {row["sha"] for row in line.history.rows(sa.select(table.c.sha).where(wanted))}


def _found(line: StoredLine, shas: set[str]) -> dict[str, Counter[Severity]]:
    parts, findings = schema.scan_parts, schema.findings
    query = (
        sa.select(parts.c.sha, findings.c.severity, sa.func.count().label("number"))
        .join(findings, findings.c.scan_key == parts.c.scan_key)
        .where(parts.c.project == line.project, parts.c.sha.in_(shas))
        .where(findings.c.status == FindingStatus.OPEN.value)
        .group_by(parts.c.sha, findings.c.severity)
    )
    counts: dict[str, Counter[Severity]] = {sha: Counter() for sha in shas}
    for row in line.history.rows(query):
        counts[row["sha"]][Severity(row["severity"])] = row["number"]
    return counts
