"""What changed between the findings of two commits.

A finding in a renamed file is the same finding (Git says what was renamed). Only what a complete scan no longer
reports is fixed: a framework that crashed or read only some files closes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from infraaudit_assets.domain.findings import Finding, Scan, ScanStatus


@dataclass(frozen=True, slots=True)
class FindingChanges:
    """The findings of a commit against an earlier commit's; only open ones count."""

    new: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    moved: tuple[tuple[Finding, Finding], ...]
    """Before and after, where only the file's name changed."""
    cause: str
    """code, or what else differs and may explain the change: scanner, config."""


def compare_scans(before: Scan, after: Scan, renames: Mapping[str, str]) -> FindingChanges:
    """Compare two commits' open findings. ``renames`` is new path by old path."""
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
        cause=_cause(before, after),
    )


def _open(scan: Scan) -> dict[str, Finding]:
    return {finding.fingerprint: finding for finding in scan.findings if finding.status == "open"}


def _follow(finding: Finding, renames: Mapping[str, str]) -> Finding:
    return replace(finding, file_path=renames.get(finding.file_path, finding.file_path))


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: (f.file_path, f.line_start, f.check_id, f.resource, f.ordinal)))


def _cause(before: Scan, after: Scan) -> str:
    if before.scanner_version != after.scanner_version:
        return "scanner"
    return "config" if before.config_digest != after.config_digest else "code"
