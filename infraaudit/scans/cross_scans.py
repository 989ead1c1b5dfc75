"""Scans of one commit's files under the scanner and configuration of a later one, to attribute changes to causes."""

from collections.abc import Sequence
from itertools import pairwise

import sqlalchemy as sa

from infraaudit.scans.lifecycles import Line
from infraaudit_domain.scans.evidence import RULES
from infraaudit_domain.scans.findings import Scan, ScanStatus
from resources.history import schema
from resources.history.database import upsert
from resources.history.scan_results import follow_again, store_result
from resources.history.store import History


def record_cross_scan(history: History, project: str, sha: str, scan: Scan) -> None:
    """Store the scan of ``scan.sha``'s files under the circumstances of ``sha``, and have its lifecycles
    recomputed."""
    table = schema.cross_scan_parts
    key = {"project": project, "sha": sha, "tree_of": scan.sha}
    rows = [key | {"framework": part.framework, "scan_key": part.scan_key} for part in scan.frameworks]
    with history.writing() as connection:
        new = sorted((part for part in scan.frameworks if not part.reused), key=lambda part: part.scan_key)
        changed = [part.scan_key for part in new if store_result(connection, part)]
        connection.execute(table.delete().where(*(table.c[name] == value for name, value in key.items())))
        upsert(connection, table, rows)
        follow_again(connection, project, sha, changed)


def unexplained(line: Line, scanner: str) -> list[tuple[str, str]]:
    """Neighbours on a line (earlier, later) whose circumstances differ and that have no cross scan yet.

    Only those whose later one was scanned by ``scanner``, the installed version.
    """
    lines, scans, cross = schema.line_commits, schema.scans, schema.cross_scan_parts
    query = (
        sa.select(lines.c.sha, scans.c.scanner_version, scans.c.config_digest, scans.c.rules)
        .join(scans, (scans.c.project == lines.c.project) & (scans.c.sha == lines.c.sha))
        .where(line.is_in(lines), scans.c.status != ScanStatus.FAILED.value)
        .order_by(lines.c.position)
    )
    known = sa.select(cross.c.tree_of, cross.c.sha).where(cross.c.project == line.project)
    with line.history.reading() as connection:
        rows = connection.execute(query).all()
        explained = {(before, after) for before, after in connection.execute(known).all()}
    return [pair for pair in _differing(rows, scanner) if pair not in explained]


def needs_cross_scan(history: History, project: str, before: str, after: str, scanner: str) -> bool:
    """Whether the circumstances of two scanned commits differ and nothing says what follows from that yet."""
    table, cross = schema.scans, schema.cross_scan_parts
    columns = (table.c.sha, table.c.scanner_version, table.c.config_digest, table.c.rules)
    usable = (table.c.project == project) & (table.c.status != ScanStatus.FAILED.value)
    known = sa.select(cross.c.sha).where(cross.c.project == project, cross.c.sha == after, cross.c.tree_of == before)
    with history.reading() as connection:
        scans = {
            row.sha: row
            for row in connection.execute(sa.select(*columns).where(usable, table.c.sha.in_([before, after])))
        }
        is_known = connection.execute(known).first() is not None
    return not is_known and len(scans) == 2 and _differ(scans[before], scans[after], scanner)


def _differing(rows: Sequence[sa.Row], scanner: str) -> list[tuple[str, str]]:
    return [(before.sha, after.sha) for before, after in pairwise(rows) if _differ(before, after, scanner)]


def _differ(before: sa.Row, after: sa.Row, scanner: str) -> bool:
    """Whether a cross scan can show what other circumstances did: it is made with the scanner and rules of now."""
    is_of_now = (after.scanner_version, after.rules) == (scanner, RULES)
    circumstances = [(row.scanner_version, row.config_digest, row.rules) for row in (before, after)]
    return is_of_now and circumstances[0] != circumstances[1]


def cross_scan(history: History, project: str, tree_of: str, sha: str) -> Scan | None:
    """The stored scan of one commit's files under another one's circumstances."""
    table = schema.cross_scan_parts
    query = sa.select(table.c.scan_key).where(
        table.c.project == project, table.c.sha == sha, table.c.tree_of == tree_of
    )
    keys = [row["scan_key"] for row in history.rows(query)]
    later = history.scan(project, sha) if keys else None
    if later is None:
        return None
    found = tuple(history.results(keys).values())
    return Scan(tree_of, found, later.scanner_version, later.config_digest, later.started_at, 0.0, rules=later.rules)
