"""Results of framework scans, shared by every commit with the same scan key."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from infraaudit_domain.findings import FrameworkScan, ScanStatus
from resources.history import schema
from resources.history.database import upsert
from resources.history.rows import row_of_finding
from resources.history.severities import hold_ratings, ratings


def store_result(connection: sa.Connection, part: FrameworkScan) -> bool:
    """Store a framework's result; returns whether its key had another status before."""
    stored = sa.select(schema.framework_scans.c.status).where(schema.framework_scans.c.scan_key == part.scan_key)
    status = connection.execute(stored).scalar()
    if status == ScanStatus.COMPLETE and part.status is not ScanStatus.COMPLETE:
        return False
    row = {
        "scan_key": part.scan_key,
        "framework": part.framework,
        "status": part.status.value,
        "seconds": part.seconds,
        "reason": part.reason,
        "unreadable": [asdict(file) for file in part.unreadable],
        "evidence": part.evidence,
    }
    hold_ratings(connection)
    rated = ratings(connection, part.findings)
    rows = [
        {"scan_key": part.scan_key, "fingerprint": f.fingerprint} | row_of_finding(f) | {"severity": rated[f.check_id]}
        for f in part.findings
    ]
    # This row first: who else stores the same key waits here, and not in the middle of its findings.
    upsert(connection, schema.framework_scans, [row])
    connection.execute(schema.findings.delete().where(schema.findings.c.scan_key == part.scan_key))
    upsert(connection, schema.findings, rows)
    return status is not None and status != part.status


def follow_again(connection: sa.Connection, project: str, sha: str, changed: Sequence[str]) -> None:
    """Mark a commit, and the commits that share changed results, so that their lifecycles of findings are computed
    again."""
    lines, parts = schema.line_commits, schema.scan_parts
    connection.execute(lines.update().where(lines.c.project == project, lines.c.sha == sha).values(followed=False))
    if changed:
        sharing = sa.select(parts.c.sha).where(parts.c.project == lines.c.project, parts.c.scan_key.in_(changed))
        connection.execute(lines.update().where(lines.c.sha.in_(sharing)).values(followed=False))
