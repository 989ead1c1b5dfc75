"""Bring a stored history to the rules of this version: scan again what was read under earlier ones, the newest first.

A few commits at a time, each stored as it ends, so that it can stop at any moment and continue in another process.
Deliberately absent: when (service/upgrade_worker.py; `infraaudit scan --all` does the same at once).
"""

from collections.abc import Collection
from dataclasses import dataclass

from infraaudit.scans.backfill import Backfill
from infraaudit.scans.cross_scanning import Runner
from infraaudit.scans.lifecycles import follow_deploy_branch
from infraaudit.scans.scan_commit import follow_up
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import ScanStatus
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.queries.earlier_rules import read_under_earlier_rules
from resources.history.stored_line import stored_line

AT_ONCE = 20
"""Commits that one call scans."""


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What one call did."""

    scanned: int
    left: int
    failed: tuple[str, ...] = ()
    """Commits that could not be scanned; their old scans stay."""


def upgrade_some(
    history: History, mirror: Mirror, project: Project, runner: Runner, given_up: Collection[str] = ()
) -> Upgraded:
    """Scan some more commits again, without those that are given up; after the last, the lifecycles are followed anew.

    Raises InfraAuditError.
    """
    todo = [
        sha for sha in read_under_earlier_rules(stored_line(history, project.name, project.deploy_branch))
        if sha not in given_up
    ]  # fmt: skip
    if not mirror.path.exists():
        mirror.fetch()
    if not todo:
        # Also where the process that made the last scans ended before it followed them.
        follow_deploy_branch(history, mirror, project)
        return Upgraded(0, 0)
    with Backfill(history, mirror, project, todo[:AT_ONCE], runner=runner) as scans:
        ended = list(scans)
    left = len(todo) - len(ended)
    if not left:
        follow_up(history, mirror, project, runner)
    return Upgraded(len(ended), left, tuple(one.sha for one in ended if one.status is ScanStatus.FAILED))
