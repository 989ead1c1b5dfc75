"""Scanned commits beside a line, and the merges that brought them to it.

A merge is followed anew when a commit that it brought is scanned: whose doing its changes were may be known now.
Deliberately absent: the attribution itself (infraaudit_domain/lifecycles/merges.py).
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

import sqlalchemy as sa

from infraaudit.scans.readings import Readings
from resources.git.mirror import Mirror
from resources.history import schema
from resources.history.database import upsert
from resources.history.stored_line import StoredLine

_NOT_MERGED = -1
_KEPT = 64
"""Readings held in memory while a merge is walked."""


def find_merges(line: StoredLine, mirror: Mirror, has_grown: bool) -> None:
    """Record which merges brought the scanned commits beside the line, and have those merges followed anew.

    With ``has_grown`` those that were not merged before are looked at again.
    """
    table, lines = schema.merged_commits, schema.line_commits
    unknown = _unknown(line, has_grown)
    if not unknown:
        return
    head = line.shas[-1]
    merged = {sha for sha in mirror.existing(unknown) if mirror.is_ancestor(sha, head)}
    positions = _positions(line.shas, mirror.lineage([head]), merged) if merged else {}
    mine = {"project": line.project, "branch": line.branch}
    with line.history.writing() as connection:
        rows = [mine | {"sha": sha, "position": positions.get(sha, _NOT_MERGED)} for sha in sorted(unknown)]
        upsert(connection, table, rows)
        for position in set(positions.values()):
            again = line.is_in(lines) & (lines.c.position == position)
            change = {"followed": False, "changes": lines.c.changes + 1}
            connection.execute(lines.update().where(again).values(change))


def _unknown(line: StoredLine, has_grown: bool) -> list[str]:
    scans, lines, merged = schema.scans, schema.line_commits, schema.merged_commits
    known = sa.select(merged.c.sha).where(line.is_in(merged))
    if has_grown:
        known = known.where(merged.c.position != _NOT_MERGED)
    query = sa.select(scans.c.sha).where(
        scans.c.project == line.project,
        scans.c.sha.not_in(sa.select(lines.c.sha).where(line.is_in(lines))),
        scans.c.sha.not_in(known),
    )
    return [row["sha"] for row in line.history.rows(query)]


def _positions(shas: Sequence[str], parents: Mapping[str, Sequence[str]], wanted: Collection[str]) -> dict[str, int]:
    """The first position of the line that has each commit among its ancestors."""
    seen, found = set(shas), dict[str, int]()
    for position, sha in enumerate(shas):
        waiting = [parent for parent in parents.get(sha, ()) if parent not in seen]
        while waiting:
            commit = waiting.pop()
            if commit in seen:
                continue
            seen.add(commit)
            if commit in wanted:
                found[commit] = position
            waiting += [parent for parent in parents.get(commit, ()) if parent not in seen]
    return found


class MergedSide:
    """What a merge brought: the commits that its first parent has not, with their readings."""

    def __init__(self, mirror: Mirror, readings: Readings, parents: Sequence[str]) -> None:
        self._mirror, self._parents = mirror, parents
        self.reading = lru_cache(maxsize=_KEPT)(readings.of)
        self.old_paths = lru_cache(maxsize=None)(self._old_paths)
        self.side = lru_cache(maxsize=1)(self._side)

    def _side(self) -> dict[str, tuple[str, ...]]:
        first, *others = self._parents
        return self._mirror.lineage(others, [first])

    def _old_paths(self, parent: str, child: str) -> dict[str, str]:
        return {new: old for old, new in self._mirror.renames(parent, child).items()}
