"""Commits that were deployed though they are not on the line: their findings, from their own scans."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.judging.ages import Certainty
from infraaudit_domain.lifecycles.readings import Reading, proves_lack, reading_of
from infraaudit_domain.scans.findings import Finding, FindingStatus
from resources.history import schema
from resources.history.stored_line import StoredLine

_QUERY = 400


def open_findings(
    line: StoredLine, shas: Collection[str], status: FindingStatus = FindingStatus.OPEN
) -> dict[str, dict[str, sa.RowMapping]]:
    """The open findings of some commits, by SHA and fingerprint; or those of another status."""
    parts, f = schema.scan_parts, schema.findings
    found: dict[str, dict[str, sa.RowMapping]] = {sha: {} for sha in shas}
    wanted = sorted(found)
    for start in range(0, len(wanted), _QUERY):
        some = parts.c.sha.in_(wanted[start : start + _QUERY])
        query = (
            sa.select(parts.c.sha, f.c.fingerprint, f.c.severity, f.c.check_id, f.c.file_path, f.c.resource)
            .join(f, f.c.scan_key == parts.c.scan_key)
            .where(parts.c.project == line.project, some, f.c.status == status.value)
        )
        for row in line.history.rows(query):
            found[row["sha"]][row["fingerprint"]] = row
    return found


@dataclass(frozen=True, slots=True)
class Born:
    """The oldest recorded commit that has a finding, and whether its parents provably have not."""

    sha: str
    at: Any
    certainty: Certainty


def first_with(line: StoredLine, fingerprints: Iterable[str]) -> dict[str, Born]:
    """The oldest recorded commit that has each finding: it was introduced there, or before."""
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
    brought = _brought(line, {mark: sha for mark, (sha, _) in found.items()})
    return {
        mark: Born(sha, at, Certainty.EXACT if mark in brought else Certainty.BEFORE)
        for mark, (sha, at) in found.items()
    }


def _brought(line: StoredLine, first: Mapping[str, str]) -> set[str]:
    """The findings that none of their first commit's parents has, not in another file either: it may be a renamed one."""
    brought: set[str] = set()
    for sha in set(first.values()):
        scan = line.history.scan(line.project, sha)
        table = schema.parents
        of_commit = (table.c.project == line.project) & (table.c.sha == sha)
        parents = [row["parent"] for row in line.history.rows(sa.select(table.c.parent).where(of_commit))]
        scans = [line.history.scan(line.project, parent) for parent in parents]
        readings = [reading_of(each) if each else None for each in scans]
        for finding in scan.findings if scan else ():
            if first.get(finding.fingerprint) == sha and all(_lacks(reading, finding) for reading in readings):
                brought.add(finding.fingerprint)
    return brought


def _lacks(reading: Reading | None, finding: Finding) -> bool:
    if reading is None or not proves_lack(reading, finding):
        return False
    same = (finding.check_id, finding.resource)
    return all((each.check_id, each.resource) != same for each in reading.findings.values())


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
