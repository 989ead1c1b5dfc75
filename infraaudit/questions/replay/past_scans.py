"""What is stored of the scans of a project's commits beside their findings: status, gaps, and circumstances."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from infraaudit_domain.scans.evidence import EVERY_FILE
from infraaudit_domain.scans.findings import FrameworkScan, ScanStatus, UnreadableFile
from resources.history import schema
from resources.history.stored_line import StoredLine


@dataclass(frozen=True, slots=True)
class PastScan:
    status: ScanStatus
    config_digest: str
    parts: Sequence[FrameworkScan]
    """Without findings: the results that are not complete or have gaps, and those of the frameworks asked for."""

    @property
    def gaps(self) -> Mapping[str, frozenset[str]]:
        """The files that were not read, by framework; every file of one that failed."""
        every = frozenset((EVERY_FILE,))
        return {
            part.framework: every if part.status is ScanStatus.FAILED else frozenset(f.path for f in part.unreadable)
            for part in self.parts
        }


def past_scans(line: StoredLine, frameworks: Collection[str] = ()) -> Mapping[str, PastScan]:
    """The scan of every scanned commit of a project, by SHA."""
    table = schema.scans
    query = sa.select(table.c.sha, table.c.status, table.c.config_digest).where(table.c.project == line.project)
    parts = _parts(line, frameworks)
    with line.history.reading() as connection:
        return {
            sha: PastScan(ScanStatus(status), digest, parts.get(sha, ()))
            for sha, status, digest in connection.execute(query)
        }


def cross_scanned(line: StoredLine) -> set[tuple[str, str]]:
    """The pairs of commits, earlier and later, whose circumstances a complete cross scan explains."""
    parts, results = schema.cross_scan_parts, schema.framework_scans
    query = (
        sa.select(parts.c.tree_of, parts.c.sha)
        .join(results, results.c.scan_key == parts.c.scan_key)
        .where(parts.c.project == line.project)
        .group_by(parts.c.tree_of, parts.c.sha)
        .having(sa.func.sum(sa.case((results.c.status != ScanStatus.COMPLETE.value, 1), else_=0)) == 0)
    )
    return {(row["tree_of"], row["sha"]) for row in line.history.rows(query)}


def _parts(line: StoredLine, frameworks: Collection[str]) -> Mapping[str, Sequence[FrameworkScan]]:
    parts, results = schema.scan_parts, schema.framework_scans
    names = ("scan_key", "framework", "status", "reason", "unreadable")
    has_gaps = (results.c.status != ScanStatus.COMPLETE.value) | (sa.cast(results.c.unreadable, sa.Text) != "[]")
    asked = results.c.framework.in_(sorted(frameworks)) if frameworks else sa.false()
    columns = (results.c[name] for name in names)
    kept = {row["scan_key"]: _part(row) for row in line.history.rows(sa.select(*columns).where(has_gaps | asked))}
    found = defaultdict[str, list[FrameworkScan]](list)
    if kept:
        wanted = sa.select(results.c.scan_key).where(has_gaps | asked)
        query = sa.select(parts.c.sha, parts.c.scan_key).where(parts.c.project == line.project)
        for row in line.history.rows(query.where(parts.c.scan_key.in_(wanted)).order_by(parts.c.framework)):
            if row["scan_key"] in kept:
                found[row["sha"]].append(kept[row["scan_key"]])
    return found


def _part(row: sa.RowMapping) -> FrameworkScan:
    gaps = tuple(UnreadableFile(**file) for file in row["unreadable"])
    return FrameworkScan(row["framework"], row["scan_key"], ScanStatus(row["status"]), (), gaps, reason=row["reason"])
