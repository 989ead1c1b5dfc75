"""What stood in an environment: each finding from its introduction to the fix that went live, and each commit.

Hours count while a commit with the finding was live. Deliberately absent: suppressions of the configuration (what
they hide is in production all the same); a finding that Checkov's own comment suppresses is not exposed.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from infraaudit_assets.domain.deployments import Outcome
from resources.history import schema
from resources.history.database import translated
from resources.history.queries.frames import frame, line_times
from resources.history.stored_line import StoredLine

if TYPE_CHECKING:
    import pandas as pd

EXPOSURE_COLUMNS = (
    "id", "severity", "check_id", "file_path", "resource", "introduced_by", "introduced_at", "live_from", "fixed_by",
    "fixed_at", "live_to", "hours_exposed", "live_now", "brought_back_by",
)  # fmt: skip
LIVE_COLUMNS = ("sha", "live_from", "live_to", "hours", "scan", "tests", "unscanned_hours", "untested_hours",
                "rollback")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch of time over which one commit was live."""

    sha: str
    position: int
    """Its place on the line; -1 for a commit that is not on it."""
    start: datetime
    end: datetime | None

    def seconds(self, now: datetime) -> float:
        return max(0.0, ((self.end or now) - self.start).total_seconds())


def spells(line: StoredLine, environment: str) -> list[Spell]:
    """What was live in an environment from when to when, oldest first; a commit deployed again goes on with its spell."""
    table = schema.deployments
    query = (
        sa.select(table.c.sha, table.c.finished_at)
        .where(table.c.project == line.project, table.c.environment == environment)
        .where(table.c.outcome == Outcome.DEPLOYED.value)
        .order_by(table.c.id)
    )
    with translated(line.history.engine), line.history.engine.connect().execution_options(read_only=True) as connection:
        rows = connection.execute(query).all()
    if not rows:
        return []
    changes = [row for place, row in enumerate(rows) if place == 0 or rows[place - 1].sha != row.sha]
    positions = line.positions()
    ends = [*(row.finished_at for row in changes[1:]), None]
    return [
        Spell(row.sha, positions.get(row.sha, -1), row.finished_at, end) for row, end in zip(changes, ends, strict=True)
    ]


def exposure(line: StoredLine, environment: str, now: datetime) -> "pd.DataFrame":
    """One row for each finding that was ever live, the longest exposed first.

    ``live_to`` is when the last commit with it left, None where it is live now; ``brought_back_by`` is the newest
    commit that a rollback put in place and that had it, where what it replaced did not.
    """
    import pandas as pd

    past = [spell for spell in spells(line, environment) if spell.position >= 0]
    lives: dict[str, _Life] = {}
    if past:
        reach = _Reach(past, now)
        for span in _open_spans(line):
            seen = reach.of(span.start_position, span.end_position)
            life = lives.get(span.life)
            if seen is not None:
                life = life or lives.setdefault(span.life, _Life(span, seen.first, seen.last))
                life.see(span, seen)
            elif life is not None and life.fixed is None:
                # Reopened after its fix went live, but in no commit that was: the fix stays the end of the exposure.
                life.go_on(span)
    moments = {position: at.isoformat() for position, at in line_times(line).items()} if lives else {}
    rows = [life.row(line.shas, moments, past) for life in lives.values()]
    return pd.DataFrame.from_records(sorted(rows, key=_longest_first), columns=list(EXPOSURE_COLUMNS))


def live_commits(line: StoredLine, environment: str, now: datetime) -> "pd.DataFrame":
    """One row for each stretch of time over which a commit was live, with whether it was scanned and tested."""
    past = spells(line, environment)
    scans, tests = _scan_states(line, [spell.sha for spell in past]), _test_states(line, [spell.sha for spell in past])
    rows, before = [], -1
    for spell in past:
        hours = round(spell.seconds(now) / 3600, 2)
        scan, tested = scans.get(spell.sha, "none"), tests.get(spell.sha, "none")
        rows.append({
            "sha": spell.sha, "live_from": spell.start.isoformat(), "hours": hours, "scan": scan, "tests": tested,
            "live_to": spell.end.isoformat() if spell.end else None, "rollback": 0 <= spell.position < before,
            "unscanned_hours": 0.0 if scan == "complete" else hours,
            "untested_hours": 0.0 if tested == "passed" else hours,
        })  # fmt: skip
        before = spell.position
    return frame(LIVE_COLUMNS, rows)


@dataclass(frozen=True, slots=True)
class _Seen:
    first: int
    last: int
    seconds: float
    backs: Sequence[tuple[Spell, Spell]]
    """Rollbacks to a commit of the span from a newer one."""


class _Reach:
    """Which spells had the commits of a span: answered in logarithmic time, for spans are many."""

    def __init__(self, past: Sequence[Spell], now: datetime) -> None:
        order = sorted(range(len(past)), key=lambda place: past[place].position)
        self._positions = [past[place].position for place in order]
        self._places = order
        self._in_order = order == list(range(len(past)))
        self._seconds = list(accumulate((past[place].seconds(now) for place in order), initial=0.0))
        backs = [(before, after) for before, after in pairwise(past) if after.position < before.position]
        self._backs = sorted(backs, key=lambda pair: pair[1].position)
        self._back_to = [after.position for _, after in self._backs]

    def of(self, start: int, end: int | None) -> _Seen | None:
        low, high = _within(self._positions, start, end)
        if low == high:
            return None
        places = (low, high - 1) if self._in_order else self._places[low:high]
        first, last = _within(self._back_to, start, end)
        backs = self._backs[first:last] if end is not None else ()
        return _Seen(min(places), max(places), self._seconds[high] - self._seconds[low], backs)


def _within(positions: Sequence[int], start: int, end: int | None) -> tuple[int, int]:
    low = bisect_left(positions, start)
    return low, len(positions) if end is None else bisect_left(positions, end, low)


class _Life:
    """One finding that was live, while its spans are gone through in the order of commits."""

    __slots__ = ("backs", "first", "fixed", "introduced", "last", "seconds", "span", "spans")

    def __init__(self, span: sa.Row, first: int, last: int) -> None:
        self.span, self.introduced = span, span.introduced_position
        self.first, self.last, self.seconds = first, last, 0.0
        self.fixed: int | None = None
        self.spans: list[tuple[int, int | None]] = []
        self.backs: list[tuple[Spell, Spell]] = []

    def see(self, span: sa.Row, seen: _Seen) -> None:
        """A span that was live."""
        self.go_on(span)
        self.first, self.last = min(self.first, seen.first), max(self.last, seen.last)
        self.seconds += seen.seconds
        self.spans.append((span.start_position, span.end_position))
        self.backs += seen.backs

    def go_on(self, span: sa.Row) -> None:
        """A later span of the same finding."""
        self.span = span
        self.fixed = span.end_position if span.ended_as == "fixed" else None

    def row(self, shas: Sequence[str], moments: Mapping[int, str], past: Sequence[Spell]) -> tuple[Any, ...]:
        """The values of EXPOSURE_COLUMNS."""
        span, fixed, end = self.span, self.fixed, past[self.last].end
        brought = [after for before, after in self.backs if not self._stood_at(before.position)]
        return (
            span.fingerprint, span.severity, span.check_id, span.file_path, span.resource,
            shas[self.introduced], moments.get(self.introduced), past[self.first].start.isoformat(),
            None if fixed is None else shas[fixed], None if fixed is None else moments.get(fixed),
            end.isoformat() if end else None, round(self.seconds / 3600, 2), end is None,
            max(brought, key=lambda spell: spell.start).sha if brought else None,
        )  # fmt: skip

    def _stood_at(self, position: int) -> bool:
        return any(start <= position and (end is None or position < end) for start, end in self.spans)


def _longest_first(row: tuple[Any, ...]) -> tuple[float, str]:
    return -row[EXPOSURE_COLUMNS.index("hours_exposed")], row[0]


def _open_spans(line: StoredLine) -> Sequence[sa.Row]:
    table = schema.spans
    names = ("life", "fingerprint", "severity", "check_id", "file_path", "resource", "introduced_position",
             "start_position", "end_position", "ended_as")  # fmt: skip
    query = sa.select(*(table.c[name] for name in names)).where(line.is_in(table), table.c.status == "open")
    with translated(line.history.engine), line.history.engine.connect().execution_options(read_only=True) as connection:
        return connection.execute(query.order_by(table.c.start_position)).all()


def _scan_states(line: StoredLine, shas: Sequence[str]) -> dict[str, str]:
    table = schema.scans
    query = sa.select(table.c.sha, table.c.status).where(table.c.project == line.project)
    with translated(line.history.engine), line.history.engine.connect().execution_options(read_only=True) as connection:
        found = {row.sha: row.status for row in connection.execute(query)}
    return {sha: found[sha] for sha in shas if sha in found}


def _test_states(line: StoredLine, shas: Sequence[str]) -> dict[str, str]:
    table = schema.test_runs
    bad = (table.c.failed > 0) | (table.c.errors > 0) | (table.c.passed == 0) | (table.c.reason != "")
    query = sa.select(table.c.sha, bad.label("bad")).where(table.c.project == line.project)
    with translated(line.history.engine), line.history.engine.connect().execution_options(read_only=True) as connection:
        found = {row.sha: "failed" if row.bad else "passed" for row in connection.execute(query)}
    return {sha: found[sha] for sha in shas if sha in found}
