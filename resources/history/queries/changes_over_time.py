"""How many findings were open, introduced, fixed, reopened and suppressed over the commits of a branch."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from resources.history import schema
from resources.history.database import translated
from resources.history.queries.frames import frame
from resources.history.stored_line import StoredLine

if TYPE_CHECKING:
    import pandas as pd

GROUPS = ("severity", "check", "framework", "file", "directory", "author")
STEPS = ("commit", "day", "week")
TREND_COLUMNS = ("at", "commit", "group", "open", "introduced", "fixed", "reopened", "suppressed")
_BORN = {"introduced": "introduced", "reopened": "reopened", "unsuppressed": "reopened"}
_Counts = dict[str, Counter[str]]


def trends(
    line: StoredLine,
    by: str | None = None,
    every: str = "commit",
    since: datetime | None = None,
    until: datetime | None = None,
) -> "pd.DataFrame":
    """Open, introduced, fixed, reopened and suppressed findings over time; see :func:`trend_rows`."""
    return frame(TREND_COLUMNS, trend_rows(line, by, every, since, until))


def trend_rows(
    line: StoredLine,
    by: str | None = None,
    every: str = "commit",
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[dict[str, Any]]:
    """One row for each step of time and each group that has something to say; steps without a scanned commit are none.

    ``commit`` is the last of the step, ``open`` what stood after it. A finding that is suppressed is not open.
    """
    changes, scanned = _changes(line, by), _scanned(line)
    standing: dict[str, int] = defaultdict(int)
    rows: list[dict] = []
    step: tuple | None = None
    pending: _Counts = defaultdict(Counter)
    for position, sha, at in scanned:
        now = _start_of(at, every, sha)
        if step is not None and now != step[0]:
            rows += _rows(step, standing, pending)
            pending = defaultdict(Counter)
        step = (now, sha, at)
        for group, counted in changes.pop(position, {}).items():
            standing[group] += counted.pop("difference", 0)
            pending[group].update(counted)
    if step is not None:
        rows += _rows(step, standing, pending)
    return [row for row in rows if (not since or row["time"] >= since) and (not until or row["time"] <= until)]


def _rows(step: tuple, standing: Mapping[str, int], pending: Mapping[str, Counter[str]]) -> list[dict]:
    _, sha, at = step
    groups = sorted({group for group, number in standing.items() if number} | pending.keys()) or [""]
    return [
        {"at": at.isoformat(), "time": at, "commit": sha, "group": group, "open": standing.get(group, 0)}
        | {name: pending.get(group, Counter())[name] for name in TREND_COLUMNS[4:]}
        for group in groups
    ]


def _changes(line: StoredLine, by: str | None) -> dict[int, _Counts]:
    """Per position and group, what began and what ended there."""
    table, columns = schema.spans, _grouping(line, by)
    of_line = (table.c.project == line.project, table.c.branch == line.branch)
    name = columns[1]
    began = (
        sa.select(table.c.start_position, *columns[0], table.c.started_as, table.c.status, sa.func.count())
        .where(*of_line)
        .group_by(table.c.start_position, *columns[0], table.c.started_as, table.c.status)
    )
    ended = (
        sa.select(table.c.end_position, *columns[0], table.c.ended_as, table.c.status, sa.func.count())
        .where(*of_line, table.c.end_position.is_not(None))
        .group_by(table.c.end_position, *columns[0], table.c.ended_as, table.c.status)
    )
    changes: dict[int, _Counts] = defaultdict(lambda: defaultdict(Counter))
    with translated(line.history.engine), line.history.engine.connect().execution_options(read_only=True) as connection:
        for position, *group, word, status, number in connection.execute(began):
            counted = changes[position][name(group)]
            if status == "open":
                counted["difference"] += number
                counted[_BORN.get(word, "moved")] += number
            elif word in ("suppressed", "introduced"):
                counted["suppressed"] += number
        for position, *group, word, status, number in connection.execute(ended):
            if status == "open":
                counted = changes[position][name(group)]
                counted["difference"] -= number
                counted["fixed"] += number if word == "fixed" else 0
    return changes


def _grouping(line: StoredLine, by: str | None) -> tuple[list[sa.Column], Callable[[list], str]]:
    table = schema.spans.c
    plain = {"severity": table.severity, "check": table.check_id, "framework": table.framework, "file": table.file_path}
    if by in plain:
        return [plain[by]], lambda group: str(group[0])
    if by == "directory":
        return [table.file_path], lambda group: str(group[0]).rpartition("/")[0] or "."
    if by == "author":
        authors = _authors(line)
        return [table.introduced_position], lambda group: authors.get(group[0], "unknown")
    return [], lambda group: "all"


def _scanned(line: StoredLine) -> list[tuple[int, str, datetime]]:
    lines, scans, commits = schema.line_commits, schema.scans, schema.commits
    query = (
        sa.select(
            lines.c.position, lines.c.sha, sa.func.coalesce(commits.c.committed_at, scans.c.started_at).label("at")
        )
        .join(scans, (scans.c.project == lines.c.project) & (scans.c.sha == lines.c.sha))
        .outerjoin(commits, (commits.c.project == lines.c.project) & (commits.c.sha == lines.c.sha))
        .where(lines.c.project == line.project, lines.c.branch == line.branch)
        .order_by(lines.c.position)
    )
    with translated(line.history.engine), line.history.engine.connect().execution_options(read_only=True) as connection:
        return [(row.position, row.sha, row.at) for row in connection.execute(query)]


def _authors(line: StoredLine) -> dict[int, str]:
    lines, commits = schema.line_commits, schema.commits
    query = (
        sa.select(lines.c.position, commits.c.author_name)
        .join(commits, (commits.c.project == lines.c.project) & (commits.c.sha == lines.c.sha))
        .where(lines.c.project == line.project, lines.c.branch == line.branch)
    )
    with translated(line.history.engine), line.history.engine.connect().execution_options(read_only=True) as connection:
        return {row.position: row.author_name for row in connection.execute(query)}


def _start_of(at: datetime, every: str, sha: str) -> object:
    if every == "commit":
        return sha
    return at.date() if every == "day" else at.date() - timedelta(days=at.weekday())
