"""Open findings after each commit of a line, and what each commit changed: the trend of the audit page.

Read from the spans, so that a scan that crashed or read only some files closes no finding here either.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.scans.findings import FindingStatus, ScanStatus, Severity
from resources.history import schema
from resources.history.stored_line import StoredLine

_BORN = {"introduced": "introduced", "reopened": "reopened", "unsuppressed": "reopened"}


@dataclass(slots=True)
class Posture:
    """One commit of the line: the open findings after it, and its changes."""

    sha: str
    open: Counter[Severity]
    changes: Counter[str] = field(default_factory=Counter)
    """introduced, reopened, fixed and suppressed."""


def postures(line: StoredLine, first: int, last: int) -> list[Posture]:
    """The commits from one position to another, both included."""
    table = schema.spans
    standing: Counter[Severity] = Counter()
    begun = (table.c.start_position < first) & sa.or_(table.c.end_position.is_(None), table.c.end_position >= first)
    for row in _counted(line, begun & (table.c.status == FindingStatus.OPEN.value), table.c.severity):
        standing[Severity(row["severity"])] += row["number"]
    found = [Posture(sha, Counter()) for sha in line.shas[first : last + 1]]
    differences: list[Counter[Severity]] = [Counter() for _ in found]
    start = (table.c.start_position, table.c.severity, table.c.started_as, table.c.status)
    for row in _counted(line, table.c.start_position.between(first, last), *start):
        index, number = row["start_position"] - first, row["number"]
        if row["status"] == FindingStatus.OPEN:
            differences[index][Severity(row["severity"])] += number
            found[index].changes[_BORN.get(row["started_as"], row["started_as"])] += number
        elif row["started_as"] in ("suppressed", "introduced"):
            found[index].changes["suppressed"] += number
    end = (table.c.end_position, table.c.severity, table.c.ended_as)
    ended = table.c.end_position.between(first, last) & (table.c.status == FindingStatus.OPEN.value)
    for row in _counted(line, ended, *end):
        index, number = row["end_position"] - first, row["number"]
        differences[index][Severity(row["severity"])] -= number
        if row["ended_as"] == "fixed":
            found[index].changes["fixed"] += number
    for posture, difference in zip(found, differences, strict=True):
        if difference:
            standing.update(difference)
            standing = +standing
        posture.open = standing.copy()
    return found


def newest_scanned(line: StoredLine) -> Posture | None:
    """The newest commit of the line whose scan did not fail, with its open findings."""
    scans, lines = schema.scans, schema.line_commits
    same = (scans.c.project == lines.c.project) & (scans.c.sha == lines.c.sha)
    usable = line.is_in(lines) & (scans.c.status != ScanStatus.FAILED.value)
    query = sa.select(sa.func.max(lines.c.position).label("position")).join(scans, same).where(usable)
    newest = line.history.rows(query)[0]["position"]
    return None if newest is None else postures(line, newest, newest)[0]


def _counted(line: StoredLine, wanted: sa.ColumnElement[bool], *keys: sa.Column[Any]) -> list[sa.RowMapping]:
    query = sa.select(*keys, sa.func.count().label("number")).where(line.is_in(schema.spans), wanted).group_by(*keys)
    return list(line.history.rows(query))
