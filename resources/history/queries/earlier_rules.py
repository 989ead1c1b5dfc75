"""Commits of a line whose scans were read under earlier rules of ours, and which are to be scanned again."""

import sqlalchemy as sa

from infraaudit_domain.scans.evidence import RULES
from infraaudit_domain.scans.findings import ScanStatus
from resources.history import schema
from resources.history.stored_line import StoredLine


def read_under_earlier_rules(line: StoredLine) -> list[str]:
    """Their SHAs, the newest first; a scan that failed says nothing that could be wrong."""
    return [row["sha"] for row in line.history.rows(_query(line, schema.line_commits.c.sha).order_by(_POSITION.desc()))]


def count_of_earlier_rules(line: StoredLine) -> int:
    """How many they are."""
    return int(line.history.rows(_query(line, sa.func.count().label("number")))[0]["number"])


_POSITION = schema.line_commits.c.position


def _query(line: StoredLine, column: sa.ColumnElement) -> sa.Select:
    scans, lines = schema.scans, schema.line_commits
    same = (scans.c.project == lines.c.project) & (scans.c.sha == lines.c.sha)
    earlier = (scans.c.project == line.project) & (scans.c.rules < RULES)
    return sa.select(column).select_from(scans).join(lines, same).where(
        line.is_in(lines), earlier, scans.c.status != ScanStatus.FAILED.value
    )  # fmt: skip
