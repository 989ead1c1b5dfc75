"""Keep the lifecycles of findings along a branch in step with the scans that are stored.

What is kept is a function of the branch's first-parent history and its scans: recording a scan marks its commit as
not followed, and following starts again at the first such commit, so that any order of recording gives the same
result. Deliberately absent: the rules of a finding's life (infraaudit_domain/lifecycle.py).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

import sqlalchemy as sa

from infraaudit.scans.readings import Readings
from infraaudit_domain.errors import HistoryError
from infraaudit_domain.lifecycle import Cross, Fixed, Reading, Renames, Span, advance, after
from infraaudit_domain.projects import Project
from resources.git.mirror import Mirror
from resources.history import schema
from resources.history.retention import PRUNED
from resources.history.rows import finding_of, row_of_finding
from resources.history.store import History
from resources.history.stored_line import StoredLine

_BATCH = 500
"""Commits followed in one transaction, for which other writers wait."""
_QUERY = 400
"""Values in one IN list."""


class Line(StoredLine):
    """The first-parent history of one branch, with the lifecycles of the findings along it."""

    def __init__(self, history: History, mirror: Mirror, project: str, branch: str) -> None:
        super().__init__(history, project, branch, [])
        self.mirror = mirror

    def follow(self) -> "Line":
        """Update the line and the lifecycles to match Git and the stored scans. Raises HistoryError."""
        head = self.mirror.branches().get(self.branch)
        if head is None:
            raise HistoryError(f"{self.project} has no branch {self.branch!r} in its mirror; name one that it has.")
        self.shas = self.mirror.first_parents(head)
        while self._follow_some():
            pass
        return self

    def standing(self, sha: str) -> tuple[list[str], list[Span]]:
        """The line that ends in a commit, and the findings present there; also for a commit that is not on the
        branch."""
        path = self.mirror.first_parents(sha)
        shared = _common(self.shas, path)
        with self.history.reading() as connection:
            active = self._active(connection, shared - 1)
            readings = Readings(connection, self.project)
            before = readings.last(reversed(path[:shared]))
            for position, commit in enumerate(path[shared:], shared):
                if (now := readings.of(commit)) is not None:
                    step = advance(
                        active,
                        before,
                        now,
                        position,
                        self._renames(before, now),
                        self._fixed(connection, shared),
                        self._cross(readings, before, now),
                    )
                    active, before = after(active, step), now
        return path, sorted(active.values(), key=_order)

    def _follow_some(self) -> bool:
        with self.history.writing() as connection:
            self._lock(connection)
            self._match(connection)
            start: int | None = connection.execute(
                sa.select(sa.func.min(schema.line_commits.c.position)).where(
                    self.is_in(schema.line_commits), schema.line_commits.c.followed.is_(False)
                )
            ).scalar()
            if start is None:
                return False
            if (kept := self._newest_pruned(connection, start)) is not None:
                self._keep_as_followed(connection, kept)
                return True
            self._rewind(connection, start)
            self._advance(connection, start, min(start + _BATCH, len(self.shas)))
            return start + _BATCH < len(self.shas)

    def _match(self, connection: sa.Connection) -> None:
        """Make the stored line equal the branch: what a force-push replaced is dropped, what is new is added."""
        table = schema.line_commits
        order = sa.select(table.c.sha).where(self.is_in(table)).order_by(table.c.position)
        stored = list(connection.execute(order).scalars())
        shared = _common(stored, self.shas)
        if shared < len(stored):
            connection.execute(table.delete().where(self.is_in(table), table.c.position >= shared))
            self._rewind(connection, shared)
        rows = [
            {"project": self.project, "branch": self.branch, "position": position, "sha": sha, "followed": False}
            for position, sha in enumerate(self.shas[shared:], shared)
        ]
        if rows:
            connection.execute(table.insert(), rows)

    def _newest_pruned(self, connection: sa.Connection, start: int) -> int | None:
        """The last commit from ``start`` on whose findings were followed and have been pruned since.

        Following it again would lose the lifecycles that they left, and those are never lost: what is recorded anew of
        older commits can be listed, and changes no life.
        """
        lines, parts, stored = schema.line_commits, schema.scan_parts, schema.framework_scans
        of_commit = (parts.c.project == lines.c.project) & (parts.c.sha == lines.c.sha)
        found: int | None = connection.execute(
            sa.select(sa.func.max(lines.c.position))
            .join(parts, of_commit)
            .join(stored, stored.c.scan_key == parts.c.scan_key)
            .where(self.is_in(lines), lines.c.followed, lines.c.position >= start, stored.c.reason == PRUNED)
        ).scalar()
        return found

    def _keep_as_followed(self, connection: sa.Connection, last: int) -> None:
        lines = schema.line_commits
        kept = lines.update().where(self.is_in(lines), lines.c.position <= last, lines.c.followed.is_(False))
        connection.execute(kept.values(followed=True))

    def _rewind(self, connection: sa.Connection, start: int) -> None:
        table, lines = schema.spans, schema.line_commits
        connection.execute(table.delete().where(self.is_in(table), table.c.start_position >= start))
        reopened = table.update().where(self.is_in(table), table.c.end_position >= start)
        connection.execute(reopened.values(end_position=None, ended_as=None, end_cause=None))
        behind = lines.update().where(self.is_in(lines), lines.c.position >= start, lines.c.followed.is_(True))
        connection.execute(behind.values(followed=False))

    def _advance(self, connection: sa.Connection, start: int, stop: int) -> None:
        table = schema.spans
        readings = Readings(connection, self.project)
        active = self._active(connection, start - 1)
        before = readings.last(reversed(self.shas[:start]))
        for position in range(start, stop):
            now = readings.of(self.shas[position])
            if now is None or (before and before.complete and readings.are_equal(before.sha, now.sha)):
                before = now or before
                continue
            step = advance(
                active,
                before,
                now,
                position,
                self._renames(before, now),
                self._fixed(connection, position),
                self._cross(readings, before, now),
            )
            active, before = after(active, step), now
            for span in step.ended:
                same = (table.c.start_position == span.start) & (table.c.fingerprint == span.finding.fingerprint)
                ending = {"end_position": span.end, "ended_as": span.ended_as, "end_cause": span.end_cause}
                connection.execute(table.update().where(self.is_in(table), same).values(ending))
            if step.started:
                connection.execute(table.insert(), [self._row(span) for span in step.started])
        lines = schema.line_commits
        done = lines.update().where(self.is_in(lines), lines.c.position >= start, lines.c.position < stop)
        connection.execute(done.values(followed=True))

    def _active(self, connection: sa.Connection, position: int) -> dict[str, Span]:
        table = schema.spans
        ends_later = table.c.end_position.is_(None) | (table.c.end_position > position)
        query = sa.select(table).where(self.is_in(table), table.c.start_position <= position, ends_later)
        found = (span_of(row) for row in connection.execute(query).mappings())
        return {span.finding.fingerprint: span for span in found}

    def _fixed(self, connection: sa.Connection, before: int) -> Fixed:
        table = schema.spans

        def newest(fingerprints: Collection[str]) -> Mapping[str, Span]:
            found: dict[str, Span] = {}
            for some in _chunks(fingerprints):
                wanted = table.c.fingerprint.in_(some) & (table.c.ended_as == "fixed") & (table.c.end_position < before)
                query = sa.select(table).where(self.is_in(table), wanted).order_by(table.c.start_position)
                found |= {row["fingerprint"]: span_of(row) for row in connection.execute(query).mappings()}
            return found

        return newest

    def _renames(self, before: Reading | None, now: Reading) -> Renames:
        return lambda: self.mirror.renames(before.sha, now.sha) if before else {}

    def _cross(self, readings: Readings, before: Reading | None, now: Reading) -> Cross:
        return lambda: readings.cross(before.sha, now.sha) if before else None

    def _lock(self, connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            key = f"{self.project} {self.branch}"
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": key})

    def _row(self, span: Span) -> dict[str, object]:
        return (
            {"project": self.project, "branch": self.branch, "fingerprint": span.finding.fingerprint}
            | {"life": span.life, "introduced_position": span.introduced, "opened_position": span.opened}
            | {"start_position": span.start, "started_as": span.started_as, "start_cause": span.start_cause}
            | {"end_position": span.end, "ended_as": span.ended_as, "end_cause": span.end_cause}
            | row_of_finding(span.finding)
        )


def follow_deploy_branch(history: History, mirror: Mirror, project: Project) -> None:
    """Update the deploy branch's lifecycles, which the audit page and the trend API read without Git.

    Does nothing where the repository has no such branch (yet).
    """
    if project.deploy_branch in mirror.branches():
        Line(history, mirror, project.name, project.deploy_branch).follow()


def span_of(row: sa.RowMapping) -> Span:
    """A span as it is stored."""
    return Span(
        life=row["life"],
        finding=finding_of(row),
        introduced=row["introduced_position"],
        opened=row["opened_position"],
        start=row["start_position"],
        started_as=row["started_as"],
        start_cause=row["start_cause"],
        end=row["end_position"],
        ended_as=row["ended_as"],
        end_cause=row["end_cause"],
    )


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    length = 0
    for mine, theirs in zip(left, right, strict=False):
        if mine != theirs:
            break
        length += 1
    return length


def _chunks(values: Iterable[str]) -> Iterable[list[str]]:
    left = iter(values)
    while some := list(islice(left, _QUERY)):
        yield some


def _order(span: Span) -> tuple[str, int, str, str]:
    finding = span.finding
    return finding.file_path, finding.line_start, finding.check_id, finding.fingerprint
