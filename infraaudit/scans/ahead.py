"""Compute the next steps of the lifecycles along a line. It only reads, and asks Git as it has to; lifecycles.py writes.

What it rests on is what :func:`basis` returns: where that has changed since, the steps are computed again.
"""

import hashlib
import time
from collections.abc import Hashable
from dataclasses import dataclass, field

import sqlalchemy as sa

from infraaudit.scans.readings import Readings
from infraaudit.scans.stored_past import StoredPast
from infraaudit_domain.lifecycles.lifecycle import advance, after
from infraaudit_domain.lifecycles.readings import Reading
from infraaudit_domain.lifecycles.spans import Span, Step
from resources.git.mirror import Mirror
from resources.history import schema
from resources.history.stored_line import StoredLine

_COMMITS, _SPANS, _SECONDS = 500, 4000, 5.0
"""What one batch has at most, so that it is soon written; a commit is never divided."""


@dataclass
class Ahead:
    """The steps from the position ``start`` on, up to and without ``stop``."""

    start: int
    stop: int
    before: Reading | None
    """The last reading before ``start``."""
    basis: Hashable = None
    started: dict[tuple[int, str], Span] = field(default_factory=dict)
    """Spans that began, by start and fingerprint, as the last of the steps leaves them."""
    changed: dict[tuple[int, str], Span] = field(default_factory=dict)
    """Stored spans that ended, or went in or out of sight."""
    fixed: dict[str, Span] = field(default_factory=dict)
    """The newest span of each finding that these steps fixed."""

    def take(self, step: Step, position: int) -> None:
        """Add the step to a commit."""
        for span in (*step.ended, *step.resighted):
            key = span.start, span.finding.fingerprint
            (self.started if key in self.started else self.changed)[key] = span
        self.started |= {(span.start, span.finding.fingerprint): span for span in step.started}
        self.fixed |= {span.finding.fingerprint: span for span in step.ended if span.ended_as == "fixed"}
        self.stop = position + 1


def steps_ahead(line: StoredLine, mirror: Mirror, connection: sa.Connection, start: int, active: dict[str, Span],
                before: Reading | None, readings: Readings) -> Ahead:  # fmt: skip
    """The next steps of a line from a position on; ``active`` are the spans that stand before it.

    ``connection`` sees one snapshot of the history.
    """
    ahead, began = Ahead(start, start, before), time.monotonic()
    for position in range(start, min(start + _COMMITS, len(line.shas))):
        if len(ahead.started) + len(ahead.changed) >= _SPANS or time.monotonic() - began > _SECONDS:
            break
        now, step = readings.of(line.shas[position], position), Step()
        if now is not None and not (before and readings.are_equal(before.sha, now.sha)):
            past = StoredPast(line, mirror, connection, readings, line.shas[:position], start, before, now, ahead.fixed)
            step = advance(active, before, now, past)
            active = after(active, step)
        before = now or before
        ahead.take(step, position)
    ahead.basis = basis(line, connection, ahead.start, ahead.stop)
    return ahead


def is_stored(line: StoredLine, connection: sa.Connection, stop: int) -> bool:
    """Whether the stored line is this one, up to and without a position: a commit decides which are its first parents."""
    lines = schema.line_commits
    query = sa.select(lines.c.sha).where(line.is_in(lines), lines.c.position == stop - 1)
    return stop > 0 and connection.execute(query).scalar() == line.shas[stop - 1]


def basis(line: StoredLine, connection: sa.Connection, start: int, stop: int) -> Hashable:
    """What steps rest on: that all before is followed, which commits there are and what came of each, and the ratings."""
    lines, ratings = schema.line_commits, schema.severities
    some = sa.select(lines.c.position, lines.c.sha, lines.c.changes)
    mine = some.where(line.is_in(lines), lines.c.position >= start, lines.c.position < stop)
    rated = connection.execute(sa.select(ratings.c.check_id, ratings.c.severity).order_by(ratings.c.check_id)).all()
    digest = hashlib.sha256(repr([tuple(row) for row in rated]).encode()).hexdigest()
    commits = tuple(tuple(row) for row in connection.execute(mine.order_by(lines.c.position)))
    return first_to_follow(line, connection), commits, digest


def first_to_follow(line: StoredLine, connection: sa.Connection) -> int | None:
    """The first position whose scan the spans do not include; None where there is none."""
    lines = schema.line_commits
    query = sa.select(sa.func.min(lines.c.position)).where(line.is_in(lines), lines.c.followed.is_(False))
    found: int | None = connection.execute(query).scalar()
    return found
