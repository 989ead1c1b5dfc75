"""The stored scans of commits as lifecycles read them, loaded once for each scan key."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import sqlalchemy as sa

from infraaudit_domain.lifecycles.causes import Circumstances
from infraaudit_domain.lifecycles.readings import PartReading, Reading
from infraaudit_domain.scans.findings import Finding, ScanStatus
from resources.history import schema
from resources.history.rows import finding_of

_KEPT = 256
"""Framework scans held in memory."""


class Readings:
    """Readings of the commits of one project, over one connection."""

    def __init__(self, connection: sa.Connection, project: str) -> None:
        self._connection, self._project = connection, project
        self._findings = lru_cache(maxsize=_KEPT)(self._load)
        self._proof = lru_cache(maxsize=_KEPT)(self._load_proof)
        self._parts: dict[str, tuple] = {}
        self._scanned: set[str] | None = None

    def of(self, sha: str, position: int = 0) -> Reading | None:
        """The reading of a commit; None where it has no scan, or one that failed altogether."""
        row, parts = self._scan(sha)
        usable = [part for part in parts if part["status"] != ScanStatus.FAILED.value]
        if row is None or not usable:
            return None
        return Reading(
            sha=sha,
            position=position,
            findings={mark: finding for part in parts for mark, finding in self._findings(part["scan_key"]).items()},
            parts={part["framework"]: self._proof(part["scan_key"]) for part in usable},
            circumstances=Circumstances(row["scanner_version"], row["config_digest"], row["rules"]),
            gaps=any(
                part["status"] != ScanStatus.COMPLETE.value or self._proof(part["scan_key"]).gaps for part in parts
            ),
        )

    def cross(self, before: str, after: str) -> dict[str, Finding] | None:
        """What a complete cross scan of ``before``'s files under ``after``'s circumstances found; None without one."""
        parts, stored = schema.cross_scan_parts, schema.framework_scans
        query = (
            sa.select(parts.c.scan_key, stored.c.status)
            .join(stored, stored.c.scan_key == parts.c.scan_key)
            .where(parts.c.project == self._project, parts.c.sha == after, parts.c.tree_of == before)
        )
        rows = self._connection.execute(query).all()
        if not rows or any(row.status != ScanStatus.COMPLETE.value for row in rows):
            return None
        return {mark: finding for row in rows for mark, finding in self._findings(row.scan_key).items()}

    def backwards(self, shas: Sequence[str]) -> Iterator[Reading]:
        """The readings of a line of commits, the newest first; positions count from its beginning."""
        for position in range(len(shas) - 1, -1, -1):
            if (found := self.of(shas[position], position)) is not None:
                yield found

    def are_equal(self, left: str, right: str) -> bool:
        """Whether two commits share every stored result, so that nothing can differ between them."""
        (_, these), (_, those) = self._scan(left), self._scan(right)
        same = {part["scan_key"] for part in these} == {part["scan_key"] for part in those}
        return same and all(part["status"] != ScanStatus.FAILED.value for part in those)

    def _scan(self, sha: str) -> tuple[sa.RowMapping | None, tuple[sa.RowMapping, ...]]:
        if self._scanned is not None and sha not in self._scanned:
            return None, ()
        if sha not in self._parts:
            if len(self._parts) > _KEPT:
                self._parts.clear()
            scans, parts, stored = schema.scans, schema.scan_parts, schema.framework_scans
            of_commit = sa.select(scans).where(scans.c.project == self._project, scans.c.sha == sha)
            query = (
                sa.select(parts.c.scan_key, stored.c.status, stored.c.framework)
                .join(stored, stored.c.scan_key == parts.c.scan_key)
                .where(parts.c.project == self._project, parts.c.sha == sha)
            )
            row = self._connection.execute(of_commit).mappings().first()
            self._parts[sha] = (row, tuple(self._connection.execute(query).mappings()))
            if row is None and self._scanned is None:
                # Where one commit has no scan, thousands may have none: they are known by one query, not each by two.
                every = sa.select(scans.c.sha).where(scans.c.project == self._project)
                self._scanned = set(self._connection.execute(every).scalars())
        return self._parts[sha]

    def _load(self, scan_key: str) -> dict[str, Finding]:
        table = schema.findings
        rows = self._connection.execute(sa.select(table).where(table.c.scan_key == scan_key)).mappings()
        return {row["fingerprint"]: finding_of(row) for row in rows}

    def _load_proof(self, scan_key: str) -> PartReading:
        table = schema.framework_scans
        query = sa.select(table.c.unreadable, table.c.evidence).where(table.c.scan_key == scan_key)
        row = self._connection.execute(query).one()
        return PartReading(frozenset(file["path"] for file in row.unreadable), row.evidence)
