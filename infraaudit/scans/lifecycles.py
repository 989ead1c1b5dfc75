"""Keep the lifecycles of findings along a branch in step with the scans that are stored.

What is kept is a function of the branch's first-parent history and its scans: recording a scan marks its commit as
not followed, and following starts again at the first such commit, so that any order of recording gives the same
result. Deliberately absent: the rules of a finding's life (infraaudit_domain/lifecycles/lifecycle.py).
"""

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from infraaudit.scans.ahead import Ahead, basis, first_to_follow, is_stored, steps_ahead
from infraaudit.scans.merged_commits import find_merges
from infraaudit.scans.readings import Readings
from infraaudit.scans.stored_past import StoredPast, row_of, span_of
from infraaudit_domain.errors import HistoryError
from infraaudit_domain.lifecycles.lifecycle import advance, after
from infraaudit_domain.lifecycles.readings import Reading
from infraaudit_domain.lifecycles.spans import Span
from infraaudit_domain.projects import Project
from infraaudit_domain.retention import PRUNED
from resources.git.mirror import Mirror
from resources.history import schema
from resources.history.scan_results import hold_ratings
from resources.history.store import History
from resources.history.stored_line import StoredLine


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
        with self.history.writing() as connection:
            self._lock(connection)
            has_grown = self._match(connection)
        find_merges(self, self.mirror, has_grown)
        while self._follow_some():
            pass
        return self

    def standing(self, sha: str) -> tuple[list[str], list[Span]]:
        """The line that ends in a commit, and the findings present there; also for a commit that is not on the
        branch."""
        path = self.mirror.first_parents(sha)
        shared = _common(self.shas, path)
        with self.history.reading() as connection:
            readings = Readings(connection, self.project)
            before = next(readings.backwards(path[:shared]), None)
            active = self._active(connection, shared - 1, before)
            for position in range(shared, len(path)):
                if (now := readings.of(path[position], position)) is not None:
                    past = StoredPast(self, self.mirror, connection, readings, path[:position], shared, before, now)
                    step = advance(active, before, now, past)
                    active, before = after(active, step), now
        return path, sorted(active.values(), key=_order)

    def _follow_some(self) -> bool:
        """Follow some commits: compute their lifecycles over a snapshot and Git, then store them in a short transaction.

        Returns whether more is left.
        """
        with self.history.snapshot() as connection:
            start = first_to_follow(self, connection)
            if start is None or start >= len(self.shas):
                return False
            kept = self.newest_pruned(connection, start)
            ahead = None if kept is not None else self._ahead(connection, start)
            if ahead is not None and not is_stored(self, connection, ahead.stop):
                return False  # Another process has seen a newer state of the branch, and follows that.
        with self.history.writing() as connection:
            self._lock(connection)
            hold_ratings(connection)
            if kept is not None:
                self._keep_as_followed(connection, kept)
            elif ahead is not None and basis(self, connection, ahead.start, ahead.stop) == ahead.basis:
                self._rewind(connection, start)
                self._store(connection, ahead)
        return True

    def _ahead(self, connection: sa.Connection, start: int) -> Ahead:
        readings = Readings(connection, self.project)
        before = next(readings.backwards(self.shas[:start]), None)
        active = self._active(connection, start - 1, before)
        return steps_ahead(self, self.mirror, connection, start, active, before, readings)

    def _match(self, connection: sa.Connection) -> bool:
        """Make the stored line equal the branch: what a force-push replaced is dropped, what is new is added.

        Returns whether anything is new.
        """
        table, merged = schema.line_commits, schema.merged_commits
        order = sa.select(table.c.sha).where(self.is_in(table)).order_by(table.c.position)
        stored = list(connection.execute(order).scalars())
        shared = _common(stored, self.shas)
        if shared < len(stored):
            connection.execute(table.delete().where(self.is_in(table), table.c.position >= shared))
            connection.execute(merged.delete().where(self.is_in(merged), merged.c.position >= shared))
            self._rewind(connection, shared)
        rows = [
            {"project": self.project, "branch": self.branch, "position": position, "sha": sha, "followed": False}
            for position, sha in enumerate(self.shas[shared:], shared)
        ]
        if rows:
            connection.execute(table.insert(), rows)
        return bool(rows)

    def newest_pruned(self, connection: sa.Connection, start: int) -> int | None:
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

    def _store(self, connection: sa.Connection, ahead: Ahead) -> None:
        table, lines = schema.spans, schema.line_commits
        if ahead.before is not None:
            # What later commits, which are followed anew, had said of spans that still stand.
            seen = (table.c.start_position < ahead.start) & (table.c.end_position.is_(None))
            unseen_later = self.is_in(table) & seen & (table.c.end_after >= ahead.before.position)
            connection.execute(table.update().where(unseen_later).values(end_after=None))
        if ahead.changed:
            same = (table.c.start_position == sa.bindparam("_start")) & (table.c.fingerprint == sa.bindparam("_mark"))
            rows = [{"_start": start, "_mark": mark} | row_of(span) for (start, mark), span in ahead.changed.items()]
            columns: dict[str, sa.BindParameter] = {
                name: sa.bindparam(name) for name in rows[0] if not name.startswith("_")
            }
            connection.execute(table.update().where(self.is_in(table), same).values(columns), rows)
        if ahead.started:
            mine = {"project": self.project, "branch": self.branch}
            connection.execute(table.insert(), [mine | row_of(span) for span in ahead.started.values()])
        done = (lines.c.position >= ahead.start) & (lines.c.position < ahead.stop)
        connection.execute(lines.update().where(self.is_in(lines), done).values(followed=True))

    def _active(self, connection: sa.Connection, position: int, last: Reading | None) -> dict[str, Span]:
        """The spans that stand at a position, by fingerprint, as the last reading up to there has them."""
        table = schema.spans
        ends_later = table.c.end_position.is_(None) | (table.c.end_position > position)
        query = sa.select(table).where(self.is_in(table), table.c.start_position <= position, ends_later)
        found = (_as_of(span_of(row), last) for row in connection.execute(query).mappings())
        return {span.finding.fingerprint: span for span in found}

    def _lock(self, connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            key = f"{self.project} {self.branch}"
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": key})


def follow_deploy_branch(history: History, mirror: Mirror, project: Project) -> None:
    """Update the deploy branch's lifecycles, which the audit page and the trend API read without Git.

    Does nothing where the repository has no such branch (yet).
    """
    if project.deploy_branch in mirror.branches():
        Line(history, mirror, project.name, project.deploy_branch).follow()


def _as_of(span: Span, last: Reading | None) -> Span:
    """A span without what is known of it from readings after the last one."""
    is_unread = last is not None and span.end_after is not None and span.end_after < last.position
    seen = span.end_after if is_unread else None
    return replace(span, end=None, end_after=seen, end_sha=None, ended_as=None, end_cause=None)


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    length = 0
    for mine, theirs in zip(left, right, strict=False):
        if mine != theirs:
            break
        length += 1
    return length


def _order(span: Span) -> tuple[str, int, str, str]:
    finding = span.finding
    return finding.file_path, finding.line_start, finding.check_id, finding.fingerprint
