"""Numbers of lines that deployed commits printed, by level and day."""

from typing import Any

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


def count_rows(history: History, project: str, environment: str = "", sha: str = "") -> list[dict[str, Any]]:
    """How many lines were printed, newest day first; an empty text is any."""
    table = schema.log_counts
    exact = {"project": project, "environment": environment, "sha": sha}
    where = [table.c[name] == value for name, value in exact.items() if value]
    order = (table.c.day.desc(), table.c.environment, table.c.sha, table.c.level)
    columns = (table.c.environment, table.c.day, table.c.sha.label("commit"), table.c.level, table.c.lines)
    return [dict(row) for row in history.rows(sa.select(*columns).where(*where).order_by(*order))]


def counted_days(history: History, project: str, environment: str) -> set[str]:
    """The days with recorded numbers of lines."""
    table = schema.log_counts
    query = sa.select(table.c.day).distinct()
    rows = history.rows(query.where(table.c.project == project, table.c.environment == environment))
    return {row["day"] for row in rows}
