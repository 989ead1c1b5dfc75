"""How many findings were open, introduced, fixed, reopened and suppressed over the commits of a branch.

What the commits' own scans say: a suppression of the configuration is of today and changes no past.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from resources.history import schema
from resources.history.database import translated
from resources.history.stored_line import StoredLine

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

GROUPS = ("severity", "check", "framework", "file", "directory", "author")
STEPS = ("commit", "day", "week")
TREND_COLUMNS = ("at", "commit", "group", "open", "introduced", "fixed", "reopened", "suppressed")
_OPEN, _INTRODUCED, _FIXED, _REOPENED, _SUPPRESSED = range(5)
_BORN = {"introduced": _INTRODUCED, "reopened": _REOPENED, "unsuppressed": _REOPENED}
_CELLS = 2_000_000
"""Steps times groups that are counted at once: by file, a long history has more than memory would hold."""


def trends(
    line: StoredLine,
    by: str | None = None,
    every: str = "commit",
    since: datetime | None = None,
    until: datetime | None = None,
) -> "pd.DataFrame":
    """Open, introduced, fixed, reopened and suppressed findings over time; see :func:`trend_rows`."""
    import pandas as pd

    return pd.DataFrame(_columns(line, by, every, since, until), columns=list(TREND_COLUMNS))


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
    columns = _columns(line, by, every, since, until)
    return [dict(zip(TREND_COLUMNS, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _columns(
    line: StoredLine, by: str | None, every: str, since: datetime | None, until: datetime | None
) -> dict[str, list]:
    import numpy as np

    steps, step_of = _steps(_scanned(line), every)
    kept = np.array([(not since or at >= since) and (not until or at <= until) for at, _ in steps], bool)
    groups, changes = _changes(line, by, step_of)
    told = [_rows(len(steps), len(some), start, changes) for start, some in _blocks(groups, len(steps))]
    found = np.concatenate([np.empty((0, 7), np.int64), *told])
    silent = np.setdiff1d(np.arange(len(steps)), found[:, 0])
    found = np.concatenate([found, np.pad(silent[:, None], ((0, 0), (0, 6)))])
    found[len(found) - len(silent) :, 1] = len(groups)
    found = found[kept[found[:, 0]]]
    found = found[np.lexsort((found[:, 1], found[:, 0]))]
    at, commits = [moment.isoformat() for moment, _ in steps], [sha for _, sha in steps]
    names = [*groups, "" if by else "all"]
    step, group, *counts = (column.tolist() for column in found.T)
    named = {"at": [at[n] for n in step], "commit": [commits[n] for n in step], "group": [names[n] for n in group]}
    return named | dict(zip(TREND_COLUMNS[3:], counts, strict=True))


def _rows(steps: int, groups: int, start: int, changes: "np.ndarray") -> "np.ndarray":
    """Step, group and the five counts of every row of some groups; a change is step, group, which count, difference."""
    import numpy as np

    inside = changes[(changes[:, 1] >= start) & (changes[:, 1] < start + groups)]
    counts = np.zeros((steps, groups, 5), np.int64)
    np.add.at(counts, (inside[:, 0], inside[:, 1] - start, inside[:, 2]), inside[:, 3])
    told = (counts != 0).any(axis=2)
    counts[:, :, _OPEN] = counts[:, :, _OPEN].cumsum(axis=0)
    step, group = np.nonzero(told | (counts[:, :, _OPEN] != 0))
    return np.column_stack([step, group + start, counts[step, group]])


def _blocks(groups: Sequence[str], steps: int) -> Iterator[tuple[int, Sequence[str]]]:
    size = max(1, _CELLS // max(steps, 1))
    yield from ((start, groups[start : start + size]) for start in range(0, len(groups), size))


def _changes(line: StoredLine, by: str | None, step_of: dict[int, int]) -> "tuple[list[str], np.ndarray]":
    """The groups in their order, and every change: step, group, which count, difference."""
    import numpy as np

    table = schema.spans.c
    column, name = _grouping(line, by)
    query = sa.select(
        table.start_position, table.end_position, table.started_as, table.ended_as, table.status, column
    ).where(line.is_in(schema.spans))
    with translated(line.history.engine), line.history.engine.connect().execution_options(read_only=True) as connection:
        spans = connection.execute(query).all()
    if not spans:
        return [], np.empty((0, 4), np.int64)
    starts, ends, *words, values = zip(*spans, strict=True)
    names = {value: name(value) for value in set(values)}
    groups = sorted(set(names.values()))
    place = {group: number for number, group in enumerate(groups)}
    group = np.array([place[names[value]] for value in values])
    first = np.array([step_of[start] for start in starts])
    last = np.array([-1 if end is None else step_of[end] for end in ends])
    born, died, status = (np.array(column, object) for column in words)
    is_open, has_ended = status == "open", last >= 0
    kinds = [
        (is_open, first, _OPEN, 1),
        (is_open & has_ended, last, _OPEN, -1),
        (is_open & has_ended & (died == "fixed"), last, _FIXED, 1),
        (~is_open & (born != "moved"), first, _SUPPRESSED, 1),
        *((is_open & (born == word), first, count, 1) for word, count in _BORN.items()),
    ]
    parts = [
        np.column_stack([step[mask], group[mask], np.full(mask.sum(), count), np.full(mask.sum(), difference)])
        for mask, step, count, difference in kinds
    ]
    return groups, np.concatenate(parts)


def _grouping(line: StoredLine, by: str | None) -> tuple[sa.ColumnElement, Callable[[Any], str]]:
    table = schema.spans.c
    plain = {"severity": table.severity, "check": table.check_id, "framework": table.framework, "file": table.file_path}
    if by in plain:
        return plain[by], str
    if by == "directory":
        return table.file_path, lambda path: str(path).rpartition("/")[0] or "."
    if by == "author":
        authors = _authors(line)
        return table.introduced_position, lambda position: authors.get(position, "unknown")
    return sa.literal("all"), str


def _steps(
    scanned: Sequence[tuple[int, str, datetime]], every: str
) -> tuple[list[tuple[datetime, str]], dict[int, int]]:
    """The time and SHA of the last commit of each step, and the step of each position."""
    steps: list[tuple[datetime, str]] = []
    step_of: dict[int, int] = {}
    last: object = None
    for position, sha, at in scanned:
        now = _start_of(at, every, sha)
        if now == last:
            steps[-1] = (at, sha)
        else:
            steps.append((at, sha))
        last = now
        step_of[position] = len(steps) - 1
    return steps, step_of


def _scanned(line: StoredLine) -> list[tuple[int, str, datetime]]:
    lines, scans, commits = schema.line_commits, schema.scans, schema.commits
    query = (
        sa.select(
            lines.c.position, lines.c.sha, sa.func.coalesce(commits.c.committed_at, scans.c.started_at).label("at")
        )
        .join(scans, (scans.c.project == lines.c.project) & (scans.c.sha == lines.c.sha))
        .outerjoin(commits, (commits.c.project == lines.c.project) & (commits.c.sha == lines.c.sha))
        .where(line.is_in(lines))
        .order_by(lines.c.position)
    )
    with translated(line.history.engine), line.history.engine.connect().execution_options(read_only=True) as connection:
        return [(position, sha, at) for position, sha, at in connection.execute(query).all()]


def _authors(line: StoredLine) -> dict[int, str]:
    lines, commits = schema.line_commits, schema.commits
    query = (
        sa.select(lines.c.position, commits.c.author_name)
        .join(commits, (commits.c.project == lines.c.project) & (commits.c.sha == lines.c.sha))
        .where(line.is_in(lines))
    )
    with translated(line.history.engine), line.history.engine.connect().execution_options(read_only=True) as connection:
        return {row.position: row.author_name for row in connection.execute(query).all()}


def _start_of(at: datetime, every: str, sha: str) -> object:
    if every == "commit":
        return sha
    return at.date() if every == "day" else at.date() - timedelta(days=at.weekday())
