"""What changed between the findings of two commits.

A finding in a renamed file is the same finding (Git says what was renamed). Only what a complete scan no longer
reports is fixed: a framework that crashed or read only some files closes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from infraaudit_domain.causes import Causes, Circumstances, causes
from infraaudit_domain.findings import Finding, Scan, ScanStatus


@dataclass(frozen=True, slots=True)
class FindingChanges:
    """The findings of a commit against an earlier commit's; only open ones count."""

    new: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    moved: tuple[tuple[Finding, Finding], ...]
    """Before and after, where only the file's name changed."""
    causes: Causes
    """Attributes each of them to code, config or scanner."""

    @property
    def other_cause(self) -> str:
        """What besides the code differs between the two: config or scanner; ``code`` where nothing does."""
        return self.causes.other


def compare_scans(before: Scan, after: Scan, renames: Mapping[str, str], cross: Scan | None = None) -> FindingChanges:
    """Compare two commits' open findings. ``renames`` is new path by old path; ``cross`` is the scan of the earlier
    files under the later circumstances, where there is one."""
    then, now = _open(before), _open(after)
    followed = {_follow(finding, renames).fingerprint: finding for finding in then.values()}
    complete = {part.framework for part in after.frameworks if part.status is ScanStatus.COMPLETE}
    gone = (finding for fingerprint, finding in followed.items() if fingerprint not in now)
    moved = (
        (earlier, now[fingerprint])
        for fingerprint, earlier in followed.items()
        if fingerprint in now and earlier.file_path != now[fingerprint].file_path
    )
    return FindingChanges(
        new=_sorted(finding for fingerprint, finding in now.items() if fingerprint not in followed),
        fixed=_sorted(finding for finding in gone if finding.framework in complete),
        moved=tuple(moved),
        causes=_causes(before, after, cross, renames),
    )


def _open(scan: Scan) -> dict[str, Finding]:
    return {finding.fingerprint: finding for finding in scan.findings if finding.is_open}


def _follow(finding: Finding, renames: Mapping[str, str]) -> Finding:
    return replace(finding, file_path=renames.get(finding.file_path, finding.file_path))


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: (f.file_path, f.line_start, f.check_id, f.resource, f.ordinal)))


def _causes(before: Scan, after: Scan, cross: Scan | None, renames: Mapping[str, str]) -> Causes:
    other = _circumstances(after).cause_against(_circumstances(before))
    complete = cross is not None and cross.status is ScanStatus.COMPLETE
    found = {f.fingerprint: f for f in cross.findings} if cross is not None and complete else None
    return causes(other, found, renames)


def _circumstances(scan: Scan) -> Circumstances:
    return Circumstances(scan.scanner_version, scan.config_digest, scan.rules)
