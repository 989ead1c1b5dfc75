"""What changed between the findings of two commits.

A finding in a renamed file, or of a resource that moved, is the same finding (successors.py). Only what the later scan
proves to be gone is fixed, and only what the earlier scan proves to have been absent is new (evidence.py); the rest is
named as what it is: not known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infraaudit_domain.lifecycles.causes import CODE, CONFIG, Causes, causes
from infraaudit_domain.lifecycles.readings import Reading, circumstances_of, proves_lack, reading_of
from infraaudit_domain.lifecycles.successors import Moves, no_moves, successors
from infraaudit_domain.scans.findings import Finding, Scan, ScanStatus
from infraaudit_domain.scans.hidings import CONFIGURATION


@dataclass(frozen=True, slots=True)
class FindingChanges:
    """The findings of a commit against an earlier commit's; only open ones count."""

    new: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    moved: tuple[tuple[Finding, Finding], ...]
    """Before and after, where only the names of file and resource changed; what the commit's configuration hides there
    among them."""
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

    @property
    def by_rules(self) -> tuple[Finding, ...]:
        """New findings that are proven to be no code's doing: the earlier files have them under the later scan's
        scanner, rules and configuration."""
        if self.other_cause == CODE:
            return ()
        fresh = (*self.new, *self.perhaps_new)
        return tuple(finding for finding in fresh if self.causes.proves(finding.fingerprint, finding.status))


def compare_scans(
    before: Scan, after: Scan, renames: Mapping[str, str], cross: Scan | None = None, moves: Moves = no_moves
) -> FindingChanges:
    """Compare two commits' open findings. ``renames`` is new path by old path, ``moves`` reads the moved blocks of the
    files that differ; ``cross`` is the scan of the earlier files under the later circumstances, where there is one."""
    then, now = _by_mark(before), _by_mark(after)
    earlier, later = reading_of(before), reading_of(after)
    forms = {mark: now[mark] for mark in then.keys() & now.keys()} | successors(then, now, renames, moves)
    pairs = [(finding, forms.get(mark)) for mark, finding in then.items() if finding.is_open]
    stayed = {new.fingerprint for _, new in pairs if new and new.is_open}
    moved = [(old, new) for old, new in pairs if new and _is_moved(old, new)]
    hidden = [old for old, new in pairs if new and not new.is_open and not _is_moved(old, new)]
    gone = {old: follow(old, renames) for old, new in pairs if new is None}
    left = [old for old, followed in gone.items() if was_not_open(later, followed)]
    earlier_forms = {finding.fingerprint: then[mark] for mark, finding in forms.items()}
    fresh = [finding for mark, finding in now.items() if finding.is_open and mark not in stayed]
    old_paths = {new: old for old, new in renames.items()}
    new = {f for f in fresh if was_not_open(earlier, earlier_forms.get(f.fingerprint, follow(f, old_paths)))}
    return FindingChanges(
        new=in_order(new),
        fixed=in_order((*left, *hidden)),
        moved=tuple(moved),
        causes=_causes(before, after, cross, renames),
        perhaps_new=in_order(finding for finding in fresh if finding not in new),
        unread=in_order(followed for old, followed in gone.items() if old not in left),
    )


def _is_moved(old: Finding, new: Finding) -> bool:
    """Whether an open finding has another name; one that a comment hides besides is none that moved."""
    return old.fingerprint != new.fingerprint and (new.is_open or new.suppressed_by == CONFIGURATION)


def was_not_open(reading: Reading | None, finding: Finding) -> bool:
    """Whether a commit is known not to have had a finding, or to have had it suppressed."""
    if reading is None:
        return False
    known = reading.findings.get(finding.fingerprint)
    return not known.is_open if known is not None else proves_lack(reading, finding)


def earlier_names(
    findings: Iterable[Finding],
    reading: Reading | None,
    scan: Scan,
    renames: Mapping[str, str],
    moves: Moves = no_moves,
) -> dict[Finding, Finding]:
    """Each of some findings of a scan under the name that it had, or would have had, in an earlier commit."""
    then = reading.findings if reading else {}
    forms = {new.fingerprint: then[old] for old, new in successors(then, _by_mark(scan), renames, moves).items()}
    old_paths = {new: old for old, new in renames.items()}
    return {finding: forms.get(finding.fingerprint, follow(finding, old_paths)) for finding in findings}


def follow(finding: Finding, renames: Mapping[str, str]) -> Finding:
    """A finding under the name that its file has after some renames."""
    return finding.after(renames)


def cause_of_move(old: Finding, new: Finding) -> str:
    """A move is the code's doing; that a configuration hides what is there, or no longer does, is the configuration's."""
    is_hidden = CONFIGURATION in (old.suppressed_by, new.suppressed_by)
    return CONFIG if old.status != new.status and is_hidden else CODE


def _by_mark(scan: Scan) -> dict[str, Finding]:
    return {finding.fingerprint: finding for finding in scan.findings}


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by file and line."""
    return tuple(sorted(findings, key=lambda f: (f.file_path, f.line_start, f.check_id, f.resource, f.ordinal)))


def _causes(before: Scan, after: Scan, cross: Scan | None, renames: Mapping[str, str]) -> Causes:
    other = circumstances_of(after).cause_against(circumstances_of(before))
    if cross is None:
        return Causes(other)
    is_complete = cross.status is ScanStatus.COMPLETE
    return causes(other, {f.fingerprint: f for f in cross.findings}, renames, is_complete)
