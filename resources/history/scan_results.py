"""Results of framework scans, shared by every commit with the same scan key and rated by the severities of now.

The rating stands in the rows, so that every query filters and groups by it; it is brought in step whenever a history is
opened with a file of severities that says something else than the last one. Deliberately absent: reading the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import sqlalchemy as sa

from infraaudit_domain.scans.findings import Finding, FrameworkScan, ScanStatus, Severity, UnreadableFile
from resources.history import schema
from resources.history.access import Access
from resources.history.database import upsert
from resources.history.rows import finding_of, row_of_finding


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


def read_results(connection: sa.Connection, scan_keys: Sequence[str]) -> dict[str, FrameworkScan]:
    """The results of scan keys in the order asked for, findings by file and line."""
    results, f = schema.framework_scans, schema.findings
    rows = {
        row.scan_key: row for row in connection.execute(sa.select(results).where(results.c.scan_key.in_(scan_keys)))
    }
    findings: dict[str, list[Finding]] = {key: [] for key in rows}
    order = (f.c.file_path, f.c.line_start, f.c.check_id)
    for row in connection.execute(sa.select(f).where(f.c.scan_key.in_(scan_keys)).order_by(*order)).mappings():
        findings[row["scan_key"]].append(finding_of(row))
    return {
        key: FrameworkScan(
            framework=rows[key].framework,
            scan_key=key,
            status=ScanStatus(rows[key].status),
            findings=tuple(findings[key]),
            unreadable=tuple(UnreadableFile(**file) for file in rows[key].unreadable),
            evidence=rows[key].evidence,
            seconds=rows[key].seconds,
            reason=rows[key].reason,
        )
        for key in scan_keys
        if key in rows
    }


def follow_again(connection: sa.Connection, project: str, sha: str, changed: Sequence[str]) -> None:
    """Mark a commit, and the commits that share changed results, so that their lifecycles of findings are computed
    again."""
    lines, parts = schema.line_commits, schema.scan_parts
    again = {"followed": False, "changes": lines.c.changes + 1}
    connection.execute(lines.update().where(lines.c.project == project, lines.c.sha == sha).values(again))
    if changed:
        sharing = sa.select(parts.c.sha).where(parts.c.project == lines.c.project, parts.c.scan_key.in_(changed))
        connection.execute(lines.update().where(lines.c.sha.in_(sharing)).values(again))


def rate(history: Access, severities: Mapping[str, Severity]) -> bool:
    """Rate every stored finding anew where the severities changed; returns whether they did."""
    table = schema.severities
    wanted = {check_id: severity.value for check_id, severity in severities.items()}
    with history.reading() as connection:
        if _stored(connection) == wanted:
            return False
    with history.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE severities IN EXCLUSIVE MODE"))
        connection.execute(table.delete())
        rows = [{"check_id": check_id, "severity": severity} for check_id, severity in wanted.items()]
        if rows:
            connection.execute(table.insert(), rows)
        for rated in (schema.findings, schema.spans):
            found = sa.select(table.c.severity).where(table.c.check_id == rated.c.check_id).scalar_subquery()
            severity = sa.func.coalesce(found, Severity.UNKNOWN.value)
            connection.execute(rated.update().where(rated.c.severity != severity).values(severity=severity))
    return True


def stored_ratings(history: Access) -> dict[str, str]:
    """The severity of every check, as the history was last rated."""
    with history.reading() as connection:
        return _stored(connection)


def hold_ratings(connection: sa.Connection) -> None:
    """Keep the ratings as they are until this transaction has written its findings."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE severities IN ROW SHARE MODE"))


def ratings(connection: sa.Connection, findings: tuple[Finding, ...]) -> dict[str, str]:
    """The severity of each check among some findings; their own where the history was never rated."""
    own = {finding.check_id: finding.severity.value for finding in findings}
    if not own or connection.execute(sa.select(schema.severities.c.check_id).limit(1)).first() is None:
        return own
    table = schema.severities
    query = sa.select(table.c.check_id, table.c.severity).where(table.c.check_id.in_(own))
    known = {row.check_id: row.severity for row in connection.execute(query)}
    return {check_id: known.get(check_id, Severity.UNKNOWN.value) for check_id in own}


def _stored(connection: sa.Connection) -> dict[str, str]:
    table = schema.severities
    return {row.check_id: row.severity for row in connection.execute(sa.select(table.c.check_id, table.c.severity))}
