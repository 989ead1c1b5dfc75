"""How many findings were open, introduced, fixed, reopened and suppressed over the commits of a branch.

As the commits' own scans reported: a suppression of the configuration applies today and changes no past. An event whose
commit is not known is counted at the first commit that is known to show it. Findings are grouped by author only where it
is known whose doing they were.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from infraaudit_domain.reporting.columns import GROUPS as GROUPS
from infraaudit_domain.reporting.columns import STEPS as STEPS
from infraaudit_domain.reporting.columns import TREND_COLUMNS
from infraaudit_domain.scans.findings import FindingStatus
from resources.history import schema
from resources.history.queries.frames import columns_of
from resources.history.stored_line import StoredLine

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_OPEN, _INTRODUCED, _FIXED, _REOPENED, _SUPPRESSED = range(5)
_BORN = {"introduced": _INTRODUCED, "reopened": _REOPENED, "unsuppressed": _REOPENED}
UNKNOWN_AUTHOR = "unknown"
"""The group of findings of which it is not known whose doing they were."""
_CELLS = 4_000_000
"""Steps times groups that are counted at once: by file, a long history has more than fits into memory."""


def trends(
    line: StoredLine,
    by: str | None = None,
    every: str = "commit",
    since: datetime | None = None,
    until: datetime | None = None,
) -> "pd.DataFrame":
    """Open, introduced, fixed, reopened and suppressed findings over time; see :func:`trend_rows`."""
    import pandas as pd

    named, counts = _columns(line, by, every, since, until)
    # As categories of a few texts: a million single texts take pandas a third of a second.
    texts = [pd.array(labels, dtype="str").take(numbers) for labels, numbers in named]
    return pd.DataFrame(dict(zip(TREND_COLUMNS, [*texts, *counts], strict=True)), copy=False)


def trend_rows(
    line: StoredLine,
    by: str | None = None,
    every: str = "commit",
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[dict[str, Any]]:
    """One row for each step of time and each group with a count; steps without a scanned commit have no row.

    ``commit`` is the last of the step, ``open`` the findings open after it. A finding that is suppressed is not open.
    """
    named, counts = _columns(line, by, every, since, until)
    texts = [[labels[number] for number in numbers.tolist()] for labels, numbers in named]
    rows = zip(*texts, *(column.tolist() for column in counts), strict=True)
    return [dict(zip(TREND_COLUMNS, row, strict=True)) for row in rows]


def _columns(
    line: StoredLine, by: str | None, every: str, since: datetime | None, until: datetime | None
) -> "tuple[list[tuple[list[str], np.ndarray]], list[np.ndarray]]":
    """The text columns, each as indices into its few labels, and the five counts."""
    import numpy as np

    positions, shas, times = _scanned(line)
    steps, step_of = _steps(shas, times, every)
    kept = np.array([(not since or at >= since) and (not until or at <= until) for at, _ in steps], bool)
    column, name = _grouping(line, by)
    groups, changes = _changes(line, column, name, np.array(positions), np.array(step_of))
    blocks = list(_blocks(kept, len(groups), changes)) or [np.empty((7, 0), int)]
    step, group, *counts = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
    at, commits = [moment.isoformat() for moment, _ in steps], [sha for _, sha in steps]
    return [(at, step), (commits, step), ([*groups, "" if by else "all"], group)], counts


def _blocks(kept: "np.ndarray", groups: int, changes: "np.ndarray") -> "Iterator[np.ndarray]":
    """Step, group and the five counts of every row, some steps at a time; a step without counts has one row without a
    group.

    A change is step, group, which count, difference.
    """
    import numpy as np

    standing = np.zeros(groups + 1, np.int32)
    size = max(1, _CELLS // len(standing))
    for start in range(0, len(kept), size):
        inside = changes[:, (changes[0] >= start) & (changes[0] < start + size)]
        inside[0] -= start
        rows, standing = _rows(kept[start : start + size], standing, inside)
        rows[0] += start
        yield rows


def _rows(kept: "np.ndarray", before: "np.ndarray", changes: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
    """The rows of some steps, and the open findings of each group after them."""
    import numpy as np

    step, group, count, difference = changes
    cell, opens = step * len(before) + group, count == _OPEN
    still_open = np.zeros((len(kept), len(before)), np.int32)
    np.add.at(still_open.reshape(-1), cell[opens], difference[opens])
    shown = still_open != 0
    shown.reshape(-1)[cell[~opens]] = True
    still_open = still_open.cumsum(axis=0, dtype=np.int32, out=still_open) + before
    shown |= still_open != 0
    shown[:, -1] = ~shown.any(axis=1)
    found = np.flatnonzero(shown & kept[:, None])
    # One array, never copied: at a million rows, a copy takes a third of the time.
    rows = np.zeros((7, len(found)), int)
    np.divmod(found, len(before), out=(rows[0], rows[1]))
    counts = rows[2:]
    counts[_OPEN] = still_open.reshape(-1)[found]
    rest = ~opens & kept[step]
    np.add.at(counts, (count[rest], np.searchsorted(found, cell[rest])), difference[rest])
    return rows, still_open[-1]


def _changes(
    line: StoredLine,
    column: sa.ColumnElement,
    name: Callable[[Any], str],
    positions: "np.ndarray",
    step_of: "np.ndarray",
) -> "tuple[list[str], np.ndarray]":
    """The groups in their order, and every change: step, group, which count, difference."""
    import numpy as np

    table = schema.spans.c
    query = sa.select(
        table.start_position, sa.func.coalesce(table.end_position, -1), table.started_as, table.ended_as, table.status,
        column,
    ).where(line.is_in(schema.spans))  # fmt: skip
    # In the order of the table: otherwise SQLite would choose an index and read the table in random order.
    starts, ends, *words, values = columns_of(line.history, query.order_by(table.start_position))
    if not values:
        return [], np.empty((4, 0), int)
    names = {value: name(value) for value in set(values)}
    groups = sorted(set(names.values()))
    index_of = {group: number for number, group in enumerate(groups)}
    number_of = {value: index_of[group] for value, group in names.items()}
    group = np.array([number_of[value] for value in values])
    first, last = (step_of[np.searchsorted(positions, column)] for column in (starts, np.maximum(ends, 0)))
    born, died, status = (np.array(column, object) for column in words)
    is_open, has_ended = status == FindingStatus.OPEN.value, np.array(ends) >= 0
    kinds = [
        (is_open, first, _OPEN, 1),
        (is_open & has_ended, last, _OPEN, -1),
        (is_open & has_ended & (died == "fixed"), last, _FIXED, 1),
        (~is_open & (born != "moved") & (born != "found"), first, _SUPPRESSED, 1),
        *((is_open & (born == word), first, count, 1) for word, count in _BORN.items()),
    ]
    parts = [
        np.stack([step[mask], group[mask], np.full(mask.sum(), count), np.full(mask.sum(), difference)])
        for mask, step, count, difference in kinds
    ]
    return groups, np.concatenate(parts, axis=1)


def _grouping(line: StoredLine, by: str | None) -> tuple[sa.ColumnElement, Callable[[Any], str]]:
    table = schema.spans.c
    plain = {"severity": table.severity, "check": table.check_id, "framework": table.framework, "file": table.file_path}
    if by in plain:
        return plain[by], str
    if by == "directory":
        return table.file_path, lambda path: str(path).rpartition("/")[0] or "."
    if by == "author":
        authors = _authors(line)
        return table.introduced_sha, lambda sha: authors.get(sha, UNKNOWN_AUTHOR)
    return sa.literal("all"), str


def _steps(shas: Sequence[str], times: Sequence[datetime], every: str) -> tuple[list[tuple[datetime, str]], list[int]]:
    """The time and SHA of the last commit of each step, and the step of each commit."""
    steps: list[tuple[datetime, str]] = []
    step_of: list[int] = []
    last: object = None
    for sha, at in zip(shas, times, strict=True):
        now = _start_of(at, every, sha)
        if now == last:
            steps[-1] = (at, sha)
        else:
            steps.append((at, sha))
        last = now
        step_of.append(len(steps) - 1)
    return steps, step_of


def _authors(line: StoredLine) -> dict[str, str]:
    table = schema.commits.c
    query = sa.select(table.sha, table.author_name).where(table.project == line.project)
    return dict(zip(*columns_of(line.history, query), strict=True))


def _scanned(line: StoredLine) -> tuple[list[int], list[str], list[datetime]]:
    """Position, SHA and time of every scanned commit of the line, in its order."""
    lines, scans, commits = schema.line_commits, schema.scans, schema.commits
    query = (
        sa.select(
            lines.c.position,
            lines.c.sha,
            sa.func.coalesce(commits.c.committed_at, scans.c.started_at),
        )
        .join(scans, (scans.c.project == lines.c.project) & (scans.c.sha == lines.c.sha))
        .outerjoin(commits, (commits.c.project == lines.c.project) & (commits.c.sha == lines.c.sha))
        .where(line.is_in(lines))
        .order_by(lines.c.position)
    )
    positions, shas, times = columns_of(line.history, query)
    return positions, shas, times


def _start_of(at: datetime, every: str, sha: str) -> object:
    if every == "commit":
        return sha
    return at.date() if every == "day" else at.date() - timedelta(days=at.weekday())
