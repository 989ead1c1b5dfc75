"""How much of a line of commits has been scanned, and from where on."""

from dataclasses import dataclass

import sqlalchemy as sa

from infraaudit_domain.scans.findings import ScanStatus
from resources.history import schema
from resources.history.queries.earlier_rules import count_of_earlier_rules
from resources.history.stored_line import StoredLine


@dataclass(frozen=True, slots=True)
class ScannedPast:
    """The fields are columns of the answer; those before the first scanned commit are unscanned or failed, too."""

    scanned_from: str | None
    """The oldest commit with a scan that did not fail; None where there is none."""
    commits: int
    commits_before: int
    """They lie before the first scanned one."""
    commits_unscanned: int
    commits_failed: int
    """They could not be scanned; they are not among the unscanned."""
    commits_earlier_rules: int
    """Their scans were read under earlier rules of ours; the service scans them again."""


def scanned_past(line: StoredLine) -> ScannedPast:
    """What is known of the line as it was last followed."""
    lines, scans = schema.line_commits, schema.scans
    of_commit = (scans.c.project == lines.c.project) & (scans.c.sha == lines.c.sha)
    usable = scans.c.status != ScanStatus.FAILED.value
    query = (
        sa.select(
            sa.func.count().label("commits"),
            sa.func.count(scans.c.sha).label("tried"),
            sa.func.count(sa.case((usable, 1))).label("scanned"),
            sa.func.min(sa.case((usable, lines.c.position))).label("first"),
        )
        .select_from(lines.outerjoin(scans, of_commit))
        .where(line.is_in(lines))
    )
    (row,) = line.history.rows(query)
    first = row["first"]
    return ScannedPast(
        scanned_from=None if first is None else line.shas[first],
        commits=row["commits"],
        commits_before=row["commits"] if first is None else first,
        commits_unscanned=row["commits"] - row["tried"],
        commits_failed=row["tried"] - row["scanned"],
        commits_earlier_rules=count_of_earlier_rules(line),
    )


def unscanned_among(line: StoredLine, first: int, last: int) -> int:
    """How many commits from one position to another, both included, have no usable scan."""
    lines, scans = schema.line_commits, schema.scans
    of_commit = (scans.c.project == lines.c.project) & (scans.c.sha == lines.c.sha)
    usable = of_commit & (scans.c.status != ScanStatus.FAILED.value)
    here = line.is_in(lines) & lines.c.position.between(first, last) & scans.c.sha.is_(None)
    query = sa.select(sa.func.count().label("commits")).select_from(lines.outerjoin(scans, usable)).where(here)
    return int(line.history.rows(query)[0]["commits"])


def scanned_since_first(line: StoredLine) -> tuple[int, int]:
    """How many commits from the first scanned one on were scanned, however that ended, and how many there are."""
    lines, scans = schema.line_commits, schema.scans
    of_commit = (scans.c.project == lines.c.project) & (scans.c.sha == lines.c.sha)
    query = sa.select(sa.func.count().label("number"), sa.func.min(lines.c.position).label("first"))
    (row,) = line.history.rows(query.select_from(lines.join(scans, of_commit)).where(line.is_in(lines)))
    newest = sa.select(sa.func.max(lines.c.position).label("last")).where(line.is_in(lines))
    last = line.history.rows(newest)[0]["last"]
    return (row["number"], last + 1 - row["first"]) if row["number"] else (0, 0)
