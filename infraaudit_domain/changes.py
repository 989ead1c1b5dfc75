"""What changed between the findings of two commits.

A finding in a renamed file is the same finding (Git says what was renamed). Only what the later scan proves to be gone
is fixed, and only what the earlier scan proves to have been absent is new (infraaudit_domain/evidence.py); the rest
is named as what it is: not known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from infraaudit_domain.causes import Causes, causes
from infraaudit_domain.findings import Finding, Scan, ScanStatus
from infraaudit_domain.readings import Reading, circumstances_of, proves_lack, reading_of


@dataclass(frozen=True, slots=True)
class FindingChanges:
    """The findings of a commit against an earlier commit's; only open ones count."""

    new: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    moved: tuple[tuple[Finding, Finding], ...]
    """Before and after, where only the file's name changed."""
    causes: Causes
    """Judges each of them: code, config or scanner."""
    perhaps_new: tuple[Finding, ...] = ()
    """Open now, and not known to have been absent before: the earlier scan did not read where they are."""
    unread: tuple[Finding, ...] = ()
    """Open before under the names of now, and not known to be gone: the later scan did not read where they were."""

    @property
    def other_cause(self) -> str:
        """What besides the code differs between the two: config or scanner; ``code`` where nothing does."""
        return self.causes.other


def compare_scans(before: Scan, after: Scan, renames: Mapping[str, str], cross: Scan | None = None) -> FindingChanges:
    """Compare two commits' open findings. ``renames`` is new path by old path; ``cross`` is the scan of the earlier
    files under the later circumstances, where there is one."""
    then, now = _open(before), _open(after)
    earlier, later = reading_of(before), reading_of(after)
    old_paths = {new: old for old, new in renames.items()}
    followed = {follow(finding, renames).fingerprint: finding for finding in then.values()}
    fresh = [finding for mark, finding in now.items() if mark not in followed]
    gone = [follow(finding, renames) for mark, finding in followed.items() if mark not in now]
    moved = ((old, now[mark]) for mark, old in followed.items() if mark in now and old.file_path != now[mark].file_path)
    new = {finding for finding in fresh if was_not_open(earlier, follow(finding, old_paths))}
    fixed = {finding for finding in gone if was_not_open(later, finding)}
    by_new_name = {finding: followed[finding.fingerprint] for finding in fixed}
    return FindingChanges(
        new=in_order(new),
        fixed=in_order(by_new_name.values()),
        moved=tuple(moved),
        causes=_causes(before, after, cross, renames),
        perhaps_new=in_order(finding for finding in fresh if finding not in new),
        unread=in_order(finding for finding in gone if finding not in fixed),
    )


def was_not_open(reading: Reading | None, finding: Finding) -> bool:
    """Whether a commit is known not to have had a finding, or to have had it suppressed."""
    if reading is None:
        return False
    known = reading.findings.get(finding.fingerprint)
    return not known.is_open if known is not None else proves_lack(reading, finding)


def follow(finding: Finding, renames: Mapping[str, str]) -> Finding:
    """A finding under the name that its file has after some renames."""
    path = renames.get(finding.file_path)
    return finding if path is None else replace(finding, file_path=path)


def _open(scan: Scan) -> dict[str, Finding]:
    return {finding.fingerprint: finding for finding in scan.findings if finding.is_open}


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by file and line."""
    return tuple(sorted(findings, key=lambda f: (f.file_path, f.line_start, f.check_id, f.resource, f.ordinal)))


def _causes(before: Scan, after: Scan, cross: Scan | None, renames: Mapping[str, str]) -> Causes:
    other = circumstances_of(after).cause_against(circumstances_of(before))
    if cross is None:
        return Causes(other)
    is_complete = cross.status is ScanStatus.COMPLETE
    return causes(other, {f.fingerprint: f for f in cross.findings}, renames, is_complete)
