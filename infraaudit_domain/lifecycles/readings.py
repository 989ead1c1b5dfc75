"""What a commit's scan says and proves: the findings there, and those that are known not to be.

Deliberately absent: loading it (infraaudit/scans/readings.py), and what follows from it (lifecycle.py, changes.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from infraaudit_domain.lifecycles.causes import Circumstances
from infraaudit_domain.scans.evidence import Evidence, is_unread, proves_absence
from infraaudit_domain.scans.findings import Finding, Scan, ScanStatus
from infraaudit_domain.scans.renderings import rendered_by
from infraaudit_domain.scans.resource_names import has_position, position_free


@dataclass(frozen=True, slots=True)
class PartReading:
    """What one framework's scan proves of a commit, beside its findings."""

    gaps: frozenset[str] = frozenset()
    """The files that it did not read."""
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a scan says of one commit, as far as lifecycles of findings depend on it."""

    sha: str
    position: int
    """Of the commit on its line, from 0."""
    findings: Mapping[str, Finding]
    """By fingerprint, open and suppressed."""
    parts: Mapping[str, PartReading]
    """By framework; one that failed or did not run proves nothing and is not among them."""
    circumstances: Circumstances
    gaps: bool = False
    """Whether anything was not read, so that a finding may be there all the same."""


def proves_lack(reading: Reading, finding: Finding) -> bool:
    """Whether a commit is known not to have a finding, by the rules of evidence.py."""
    if finding.fingerprint in reading.findings:
        return False
    part = reading.parts.get(finding.framework)
    if part is None or is_unread(rendered_by(finding.resource) or finding.file_path, part.gaps):
        return False
    if part.evidence is None:
        return True
    if _may_have_moved(reading, part.evidence, finding):
        return False
    if proves_absence(part.evidence, finding):
        return True
    # A check that failed on its equals in the resource has counted them: this one is not among them.
    first = finding if finding.ordinal == 0 else replace(finding, ordinal=0)
    return first.fingerprint in reading.findings and not part.evidence.is_undecided(finding)


def _may_have_moved(reading: Reading, evidence: Evidence, finding: Finding) -> bool:
    """Whether its resource may stand at another position, where its check gave no verdict."""
    path, check = finding.file_path, finding.check_id
    if not evidence.is_undecided(finding) or not has_position(finding):
        return False
    passed = evidence.passed.get(path, {})
    wanted = position_free(finding)
    alike = (name for name in passed if position_free(replace(finding, resource=name)) == wanted)
    failed = {f.resource for f in reading.findings.values() if (f.file_path, f.check_id) == (path, check)}
    return any(check not in passed[name] and name not in failed for name in alike)


def reading_of(scan: Scan, position: int = 0) -> Reading | None:
    """A scan as a reading; None where all of it failed."""
    parts = {
        part.framework: PartReading(frozenset(file.path for file in part.unreadable), part.evidence)
        for part in scan.frameworks
        if part.status is not ScanStatus.FAILED
    }
    if not parts:
        return None
    return Reading(
        sha=scan.sha,
        position=position,
        findings={finding.fingerprint: finding for finding in scan.findings},
        parts=parts,
        circumstances=circumstances_of(scan),
        gaps=any(part.gaps for part in parts.values()) or len(parts) < len(scan.frameworks),
    )


def circumstances_of(scan: Scan) -> Circumstances:
    """Under which scanner, configuration and rules of ours a commit was scanned."""
    return Circumstances(scan.scanner_version, scan.config_digest, scan.rules)
