"""Rows of the history as data frames with stable columns, and the commits that they name."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from resources.history import schema
from resources.history.store import History
from resources.history.stored_line import StoredLine

if TYPE_CHECKING:
    import pandas as pd

_QUERY = 400
_AT_ONCE = 200
"""Rows that are converted to columns at once; the garbage collector starts at 700 objects."""


def frame(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> "pd.DataFrame":
    """A data frame with exactly these columns, also without rows."""
    import pandas as pd

    values = [[row.get(name) for name in columns] for row in rows]
    table = pd.DataFrame.from_records(values, columns=list(columns))
    # pandas makes floats of whole numbers where one of them is missing.
    whole = [name for place, name in enumerate(columns) if _is_whole([row[place] for row in values])]
    return table.astype(dict.fromkeys(whole, "Int64"))


def records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows of a table, None where it has no value."""
    named = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in named]


def _is_whole(values: Sequence[Any]) -> bool:
    """Whether some are whole numbers and the others are missing."""
    return {type(value) for value in values} == {int, type(None)}


def columns_of(history: History, query: sa.Select) -> list[list[Any]]:
    """The result of a query, column by column.

    For large results: tens of thousands of rows in memory at once trigger Python's garbage collector again and again,
    which takes as long as reading them.
    """
    with history.reading() as connection:
        found = connection.execute(query)
        columns: list[list[Any]] = [[] for _ in query.selected_columns]
        for rows in found.partitions(_AT_ONCE):
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                column.extend(values)
    return columns


def commits_named(history: History, project: str, shas: Iterable[str]) -> dict[str, sa.RowMapping]:
    """The recorded data of commits, by SHA."""
    table = schema.commits
    columns = (table.c.sha, table.c.author_name, table.c.committed_at, table.c.subject)
    wanted = sorted(set(shas))
    found: dict[str, sa.RowMapping] = {}
    with history.reading() as connection:
        for start in range(0, len(wanted), _QUERY):
            some = table.c.sha.in_(wanted[start : start + _QUERY])
            query = sa.select(*columns).where(table.c.project == project, some)
            found |= {row["sha"]: row for row in connection.execute(query).mappings()}
    return found


def line_times(line: StoredLine) -> dict[int, datetime]:
    """When each commit of a line was made, by position."""
    lines, commits = schema.line_commits, schema.commits
    query = (
        sa.select(lines.c.position, commits.c.committed_at)
        .join(commits, (commits.c.project == lines.c.project) & (commits.c.sha == lines.c.sha))
        .where(line.is_in(lines))
    )
    return dict(zip(*columns_of(line.history, query), strict=True))


def committed_at(commits: Mapping[str, sa.RowMapping], sha: str | None) -> str | None:
    """When a commit was made, as ISO 8601 in UTC."""
    row = commits.get(sha or "")
    return row["committed_at"].isoformat() if row else None
