"""What stood in an environment: each finding from its introduction to the fix that went live, and each commit.

Hours count while a commit with the finding was live. Deliberately absent: suppressions of the configuration (what
they hide is in production all the same); a finding that Checkov's own comment suppresses is not exposed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
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
    lives: dict[str, dict[str, Any]] = {}
    past = [spell for spell in spells(line, environment) if spell.position >= 0]
    if not past:
        return frame(EXPOSURE_COLUMNS, ())
    reach = _Reach(past, now)
    times = line_times(line)
    for span in _open_spans(line):
        seen = reach.of(span.start_position, span.end_position)
        life = lives.get(span.life)
        if life is None:
            if seen is None:
                continue
            life = lives[span.life] = {
                "introduced_by": line.shas[span.introduced_position],
                "introduced_at": _moment(times, span.introduced_position),
                "first": seen.first, "last": seen.last, "seconds": 0.0, "spans": [],
            }  # fmt: skip
        elif seen is None and life["fixed_by"] is not None:
            # Reopened since, but in no commit that was ever live: the fix that ended the exposure is what is told.
            continue
        fixed = span.end_position if span.ended_as == "fixed" else None
        life |= {
            "id": span.fingerprint, "severity": span.severity, "check_id": span.check_id,
            "file_path": span.file_path, "resource": span.resource,
            "fixed_by": None if fixed is None else line.shas[fixed], "fixed_at": _moment(times, fixed),
        }  # fmt: skip
        if seen is not None:
            life["first"], life["last"] = min(life["first"], seen.first), max(life["last"], seen.last)
            life["seconds"] += seen.seconds
            life["spans"].append((span.start_position, span.end_position))
    backs = [(before, after) for before, after in pairwise(past) if after.position < before.position]
    rows = (_exposed(life, past, backs) for life in lives.values())
    return frame(EXPOSURE_COLUMNS, sorted(rows, key=lambda row: (-row["hours_exposed"], row["id"])))


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


class _Reach:
    """Which spells had the commits of a span: answered in logarithmic time, for spans are many."""

    def __init__(self, past: Sequence[Spell], now: datetime) -> None:
        order = sorted(range(len(past)), key=lambda place: past[place].position)
        self._positions = [past[place].position for place in order]
        self._places = order
        self._in_order = order == list(range(len(past)))
        self._seconds = [0.0]
        for place in order:
            self._seconds.append(self._seconds[-1] + past[place].seconds(now))

    def of(self, start: int, end: int | None) -> _Seen | None:
        from bisect import bisect_left

        low = bisect_left(self._positions, start)
        high = len(self._positions) if end is None else bisect_left(self._positions, end, low)
        if low == high:
            return None
        places = (low, high - 1) if self._in_order else self._places[low:high]
        return _Seen(min(places), max(places), self._seconds[high] - self._seconds[low])


def _moment(times: dict[int, datetime], position: int | None) -> str | None:
    return times[position].isoformat() if position is not None and position in times else None


def _exposed(life: dict[str, Any], past: Sequence[Spell], backs: Sequence[tuple[Spell, Spell]]) -> dict[str, Any]:
    end = past[life["last"]].end

    def had(spell: Spell) -> bool:
        return any(start <= spell.position and (stop is None or spell.position < stop) for start, stop in life["spans"])

    brought = [after.sha for before, after in backs if had(after) and not had(before)]
    return life | {
        "live_from": past[life["first"]].start.isoformat(),
        "live_to": end.isoformat() if end else None,
        "live_now": end is None,
        "hours_exposed": round(life["seconds"] / 3600, 2),
        "brought_back_by": brought[-1] if brought else None,
    }


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
