"""Compare a commit's findings with those of its nearest scanned first parent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from infraaudit_domain.changes import FindingChanges, compare_scans
from infraaudit_domain.findings import Scan, ScanStatus
from infraaudit_domain.suppressions import Suppression, hide_in, hide_in_changes
from resources.git.mirror import Mirror
from resources.history import schema
from resources.history.store import History

_LOOK_BACK = 500


def changes_of(history: History, mirror: Mirror, project: str, scan: Scan) -> tuple[str | None, FindingChanges]:
    """What a commit's scan changed, and the commit it is compared with.

    That is the nearest first parent with a complete scan; where there is none, every finding is new.
    """
    ancestors = mirror.first_parents(scan.sha, limit=_LOOK_BACK)[-2::-1]
    parent = _nearest_complete(history, project, ancestors)
    before = history.scan(project, parent) if parent else None
    if parent is None or before is None:
        empty = Scan(scan.sha, (), scan.scanner_version, scan.config_digest, scan.started_at, 0.0)
        return None, compare_scans(empty, scan, {})
    return parent, compare_scans(before, scan, mirror.renames(parent, scan.sha))


def _nearest_complete(history: History, project: str, ancestors: Sequence[str]) -> str | None:
    table = schema.scans
    wanted = (table.c.project == project) & (table.c.status == ScanStatus.COMPLETE.value) & table.c.sha.in_(ancestors)
    with history.reading() as connection:
        complete = set(connection.execute(sa.select(table.c.sha).where(wanted)).scalars())
    return next((sha for sha in ancestors if sha in complete), None)


@dataclass(frozen=True, slots=True)
class CountedScan:
    """A scan with a day's suppressions applied, and its changes against the commit that it is compared with."""

    scan: Scan
    against: str | None
    changes: FindingChanges


def counted_scan(
    history: History, mirror: Mirror, project: str, scan: Scan, suppressions: Sequence[Suppression], day: date
) -> CountedScan:
    """A scan and its changes without what the project's suppressions hide."""
    against, changes = changes_of(history, mirror, project, scan)
    return CountedScan(hide_in(scan, suppressions, day), against, hide_in_changes(changes, suppressions, day))
