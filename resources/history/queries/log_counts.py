"""Numbers of lines that deployed commits printed, by level and day."""

import sqlalchemy as sa

from resources.history import schema
from resources.history.store import History


def lines_printed(history: History, project: str, sha: str, environment: str | None = None) -> dict[str, int]:
    """How many lines a commit has printed by level, in all environments or in one."""
    table = schema.log_counts
    query = sa.select(table.c.level, sa.func.sum(table.c.lines).label("lines")).group_by(table.c.level)
    query = query.where(table.c.project == project, table.c.sha == sha)
    rows = history.rows(query.where(table.c.environment == environment) if environment else query)
    return {row["level"]: int(row["lines"]) for row in rows}


def counted_days(history: History, project: str, environment: str) -> set[str]:
    """The days with recorded numbers of lines."""
    table = schema.log_counts
    query = sa.select(table.c.day).distinct()
    rows = history.rows(query.where(table.c.project == project, table.c.environment == environment))
    return {row["day"] for row in rows}
