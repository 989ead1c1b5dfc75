"""What a step of a lifecycle asks of the history and of Git, each only when it is asked; spans as they are stored."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import sqlalchemy as sa

from infraaudit.scans.merged_commits import MergedSide
from infraaudit.scans.moved_blocks import moves_between
from infraaudit.scans.readings import Readings
from infraaudit_domain.lifecycles.merges import doers
from infraaudit_domain.lifecycles.moved_blocks import Move
from infraaudit_domain.lifecycles.readings import Reading
from infraaudit_domain.lifecycles.spans import Span
from infraaudit_domain.scans.findings import Finding
from resources.git.mirror import Mirror
from resources.history import schema
from resources.history.rows import finding_of, row_of_finding
from resources.history.stored_line import StoredLine

_QUERY = 400
"""Values in one IN list."""
_NONE: Mapping[str, Span] = {}
_EARLIER = 100
"""Readings that are asked when a new finding was not there for the first time."""


_COLUMNS = {
    "life": "life",
    "introduced": "introduced_position", "introduced_after": "introduced_after", "introduced_sha": "introduced_sha",
    "opened": "opened_position", "opened_after": "opened_after", "opened_sha": "opened_sha",
    "start": "start_position", "start_after": "start_after", "start_sha": "start_sha",
    "started_as": "started_as", "start_cause": "start_cause",
    "end": "end_position", "end_after": "end_after", "end_sha": "end_sha",
    "ended_as": "ended_as", "end_cause": "end_cause",
}  # fmt: skip
"""The columns of a span's fields, but for its finding."""


def span_of(row: sa.RowMapping) -> Span:
    """A span as it is stored."""
    return Span(finding=finding_of(row), **{name: row[column] for name, column in _COLUMNS.items()})


def row_of(span: Span) -> dict[str, object]:
    """The columns of a span, without whose it is."""
    columns = {column: getattr(span, name) for name, column in _COLUMNS.items()}
    return {"fingerprint": span.finding.fingerprint} | columns | row_of_finding(span.finding)


class StoredPast:
    """Answers for the step to one commit of a line; ``path`` is the line up to that commit, without it.

    Spans are stored up to the position ``followed``; ``fixed_ahead`` are the newest fixed ones from there on.
    """

    def __init__(
        self,
        line: StoredLine,
        mirror: Mirror,
        connection: sa.Connection,
        readings: Readings,
        path: Sequence[str],
        followed: int,
        before: Reading | None,
        now: Reading,
        fixed_ahead: Mapping[str, Span] = _NONE,
    ) -> None:
        self._line, self._mirror, self._connection, self._readings = line, mirror, connection, readings
        self._path, self._followed, self._before, self._now = path, followed, before, now
        self._fixed_ahead = fixed_ahead

    def renames(self) -> Mapping[str, str]:
        return self._mirror.renames(self._before.sha, self._now.sha) if self._before else {}

    def moves(self) -> Sequence[Move]:
        return moves_between(self._mirror, self._before.sha, self._now.sha)() if self._before else ()

    def cross(self) -> Mapping[str, Finding] | None:
        return self._readings.cross(self._before.sha, self._now.sha) if self._before else None

    def fixed(self, fingerprints: Collection[str]) -> Mapping[str, Span]:
        table, found = schema.spans, dict[str, Span]()
        for some in _chunks(fingerprints):
            of_line = self._line.is_in(table) & table.c.fingerprint.in_(some)
            wanted = of_line & (table.c.ended_as == "fixed") & (table.c.end_position < self._followed)
            query = sa.select(table).where(wanted).order_by(table.c.start_position)
            found |= {row["fingerprint"]: span_of(row) for row in self._connection.execute(query).mappings()}
        return found | {mark: self._fixed_ahead[mark] for mark in fingerprints if mark in self._fixed_ahead}

    def earlier(self) -> Iterator[tuple[Reading, Mapping[str, str]]]:
        # Each is compared with now by Git: beyond a hundred, "before" has to do.
        for reading in islice(self._readings.backwards(self._path), _EARLIER):
            renames = self._mirror.renames(reading.sha, self._now.sha)
            yield reading, {new: old for old, new in renames.items()}

    def parents(self) -> Sequence[str]:
        return self._mirror.parents([self._now.sha]).get(self._now.sha, ())

    def brought(self, findings: Mapping[str, Finding], event: str) -> Mapping[str, str]:
        first, *others = self.parents()
        side = MergedSide(self._mirror, self._readings, [first, *others])
        return doers(findings, event, self._now.sha, others, side)

    def added_files(self) -> Collection[str]:
        return {file.path for file in self._mirror.changed_files(self._now.sha) if file.status == "A"}


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    left = iter(values)
    while some := list(islice(left, _QUERY)):
        yield some
