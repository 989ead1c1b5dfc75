"""Compare a commit's findings with those of its nearest scanned first parent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from typing import Protocol

import sqlalchemy as sa

from infraaudit.scans.cross_scans import cross_scan
from infraaudit.scans.moved_blocks import moves_between
from infraaudit_domain.judging.suppressions import Suppression, hide_in, hide_in_changes
from infraaudit_domain.lifecycles.causes import CODE, Causes
from infraaudit_domain.lifecycles.changes import FindingChanges, compare_scans, earlier_names, in_order, was_not_open
from infraaudit_domain.lifecycles.readings import reading_of
from infraaudit_domain.scans.findings import Scan, ScanStatus
from resources.git.mirror import Mirror
from resources.history import schema
from resources.history.store import History

_LOOK_BACK = 500
"""Commits among which the one to compare with is looked for."""
_EARLIER = 50
"""Scans before it that are asked about findings in files that it did not read."""


class View(Protocol):
    """How scans are seen: as they are stored, or as the gate counts them."""

    def __call__(self, scan: Scan, config_of: str | None = None) -> Scan:
        """A scan that was made under the configuration of its own commit, or another's."""


def as_stored(scan: Scan, config_of: str | None = None) -> Scan:
    """The scan as it is stored."""
    return scan


def changes_of(
    history: History,
    mirror: Mirror,
    project: str,
    scan: Scan,
    view: View = as_stored,
    earlier: Sequence[str] | None = None,
) -> tuple[str | None, FindingChanges]:
    """What a commit's scan changed, and the commit it is compared with: the nearest first parent that was scanned.

    ``earlier`` are the commits to look for that one in, the nearest first, where they are not all first parents. ``scan`` and all that it is compared with are seen by ``view``. What that one did not read is looked up in the scans
    before it, file by file. Where nothing before was scanned, every finding is perhaps new; those of a root commit are
    new.
    """
    ancestors = mirror.first_parents(scan.sha, limit=_LOOK_BACK)[-2::-1] if earlier is None else earlier
    scanned = scanned_of(history, project, ancestors)
    scan = view(scan)
    if not scanned or (before := history.scan(project, scanned[0])) is None:
        still_open = tuple(finding for finding in scan.findings if finding.is_open)
        nothing = FindingChanges((), (), (), Causes(CODE))
        is_root = not ancestors and not mirror.parents([scan.sha])[scan.sha]
        return None, replace(nothing, new=still_open) if is_root else replace(nothing, perhaps_new=still_open)
    parent = scanned[0]
    cross = cross_scan(history, project, parent, scan.sha)
    seen = view(cross, scan.sha) if cross else None
    changes = compare_scans(
        view(before), scan, mirror.renames(parent, scan.sha), seen, moves_between(mirror, parent, scan.sha)
    )
    return parent, _looked_up(history, mirror, project, scan, changes, scanned[1:], view)


def up_to(mirror: Mirror, sha: str) -> list[str]:
    """A commit and its first parents, the nearest first: what may be compared with."""
    return mirror.first_parents(sha, limit=_LOOK_BACK)[::-1]


def compared_with(history: History, mirror: Mirror, project: str, sha: str) -> str | None:
    """The nearest first parent of a commit that was scanned."""
    return next(iter(scanned_of(history, project, mirror.first_parents(sha, limit=_LOOK_BACK)[-2::-1])), None)


def scanned_of(history: History, project: str, shas: Sequence[str]) -> list[str]:
    """Those of some commits that have a usable scan, in the same order; the first ones alone."""
    with history.reading() as connection:
        return list(islice(_scanned(connection, project, shas), _EARLIER))


def _scanned(connection: sa.Connection, project: str, shas: Sequence[str]) -> Iterator[str]:
    table = schema.scans
    wanted = (table.c.project == project) & (table.c.status != ScanStatus.FAILED.value) & table.c.sha.in_(shas)
    scanned = set(connection.execute(sa.select(table.c.sha).where(wanted)).scalars())
    return (sha for sha in shas if sha in scanned)


def _looked_up(
    history: History,
    mirror: Mirror,
    project: str,
    after: Scan,
    changes: FindingChanges,
    earlier: Sequence[str],
    view: View,
) -> FindingChanges:
    """Changes in which as little as possible is perhaps new."""
    unknown, new = list(changes.perhaps_new), list(changes.new)
    for ancestor in earlier:
        if not unknown:
            break
        scan = history.scan(project, ancestor)
        reading = reading_of(view(scan)) if scan else None
        renames, moves = mirror.renames(ancestor, after.sha), moves_between(mirror, ancestor, after.sha)
        then = earlier_names(unknown, reading, after, renames, moves)
        new += [finding for finding, old in then.items() if was_not_open(reading, old)]
        unknown = [
            finding
            for finding, old in then.items()
            if not was_not_open(reading, old) and (reading is None or old.fingerprint not in reading.findings)
        ]
    return replace(changes, new=in_order(new), perhaps_new=tuple(unknown))


@dataclass(frozen=True, slots=True)
class CountedScan:
    """A scan with a day's suppressions applied, and its changes against the commit that it is compared with."""

    scan: Scan
    against: str | None
    changes: FindingChanges


def counted_scan(
    history: History,
    mirror: Mirror,
    project: str,
    scan: Scan,
    suppressions: Sequence[Suppression],
    day: date,
    view: View = as_stored,
    earlier: Sequence[str] | None = None,
) -> CountedScan:
    """A scan and its changes without what the project's suppressions hide; ``earlier`` as in changes_of."""
    against, changes = changes_of(history, mirror, project, scan, view, earlier)
    return CountedScan(hide_in(view(scan), suppressions, day), against, hide_in_changes(changes, suppressions, day))
