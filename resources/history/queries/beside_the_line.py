"""Commits that were deployed though they are not on the line: their open findings, from their own scans."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.scans.findings import FindingStatus
from resources.history import schema
from resources.history.stored_line import StoredLine

_QUERY = 400


def open_findings(line: StoredLine, shas: Collection[str]) -> dict[str, dict[str, sa.RowMapping]]:
    """The open findings of some commits, by SHA and fingerprint."""
    parts, f = schema.scan_parts, schema.findings
    found: dict[str, dict[str, sa.RowMapping]] = {sha: {} for sha in shas}
    wanted = sorted(found)
    for start in range(0, len(wanted), _QUERY):
        some = parts.c.sha.in_(wanted[start : start + _QUERY])
        query = (
            sa.select(parts.c.sha, f.c.fingerprint, f.c.severity, f.c.check_id, f.c.file_path, f.c.resource)
            .join(f, f.c.scan_key == parts.c.scan_key)
            .where(parts.c.project == line.project, some, f.c.status == FindingStatus.OPEN.value)
        )
        for row in line.history.rows(query):
            found[row["sha"]][row["fingerprint"]] = row
    return found


def first_with(line: StoredLine, fingerprints: Iterable[str]) -> dict[str, tuple[str, Any]]:
    """The oldest recorded commit that has each finding, with its time: it was introduced there, or before."""
    parts, f, commits = schema.scan_parts, schema.findings, schema.commits
    wanted, found = sorted(set(fingerprints)), dict[str, tuple[str, Any]]()
    for start in range(0, len(wanted), _QUERY):
        query = (
            sa.select(f.c.fingerprint, parts.c.sha, commits.c.committed_at)
            .join(parts, parts.c.scan_key == f.c.scan_key)
            .join(commits, (commits.c.project == parts.c.project) & (commits.c.sha == parts.c.sha))
            .where(parts.c.project == line.project, f.c.fingerprint.in_(wanted[start : start + _QUERY]))
            .order_by(commits.c.committed_at.desc())
        )
        found |= {row["fingerprint"]: (row["sha"], row["committed_at"]) for row in line.history.rows(query)}
    return found


@dataclass(frozen=True, slots=True)
class Live:
    """One healthy deployment: the position of its commit, or for one beside the line the findings that it has open."""

    position: int | None
    fingerprints: frozenset[str]
    at: Any

    def has(self, span: sa.RowMapping) -> bool:
        """Whether the finding of a span stood in what was deployed."""
        if self.position is None:
            return span["fingerprint"] in self.fingerprints
        ends_later = span["end_position"] is None or self.position < span["end_position"]
        return span["start_position"] <= self.position and ends_later
