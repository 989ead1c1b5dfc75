"""Findings that no code brought: another scanner, rule or configuration found them in code that was there before."""

from datetime import datetime

import sqlalchemy as sa

from resources.history import schema
from resources.history.stored_line import StoredLine

_OPENING = ("found", "introduced", "reopened")


def arrivals_of_rules(line: StoredLine) -> dict[tuple[str, int], datetime]:
    """When the rule arrived that opened a finding, by lifecycle and position; none for those that code opened.

    That is when its first scan was made: the commit may be much older.
    """
    spans, lines, scans = schema.spans, schema.line_commits, schema.scans
    by_rules = spans.c.start_cause != sa.literal_column("'code'")  # as the partial index says it
    query = (
        sa.select(spans.c.life, spans.c.start_position, scans.c.started_at)
        .join(lines, line.is_in(lines) & (lines.c.position == spans.c.start_position))
        .join(scans, (scans.c.project == lines.c.project) & (scans.c.sha == lines.c.sha))
        .where(line.is_in(spans), by_rules, spans.c.started_as.in_(_OPENING))
    )
    return {(row["life"], row["start_position"]): row["started_at"] for row in line.history.rows(query)}
