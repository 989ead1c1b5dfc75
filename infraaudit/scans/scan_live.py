"""Scan only what was live, into a history of its own: what a new check or rule says of production's past.

It has the deployments of the real one and the findings of one check, so that every question about lifecycles and
exposure can be asked of it. What was not scanned between two commits that were live is a range, as everywhere. Nothing
is stored in the real history. Deliberately absent: commits that were never live.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from infraaudit.scans.lifecycles import Line
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Scan
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.deployments import deployments
from resources.history.queries.environments import environments
from resources.history.queries.live_commits import Spell, spells
from resources.history.stored_line import StoredLine


@dataclass(frozen=True, slots=True)
class LiveCommit:
    """A commit that was live, and for how long in all environments."""

    sha: str
    hours: float
    is_live: bool


def live_first(line: StoredLine, names: Sequence[str], now: datetime) -> list[LiveCommit]:
    """Every commit that was live in some environments: what is live now first, then the longest live."""
    past = [spell for name in names for spell in spells(line, name)]
    hours: dict[str, float] = {}
    for spell in past:
        hours[spell.sha] = hours.get(spell.sha, 0.0) + spell.seconds(now) / 3600
    now_live = {spell.sha for spell in past if _is_now(spell)}
    found = [LiveCommit(sha, each, sha in now_live) for sha, each in hours.items()]
    return sorted(found, key=lambda one: (not one.is_live, -one.hours))


def scan_live(
    line: StoredLine, project: Project, mirror: Mirror, beside: History, check: str, scans: Iterable[Scan]
) -> Line:
    """The line over a history that has only these scans, of one check, and the project's deployments."""
    beside.record_project(project)
    for environment in (name for owner, name in environments(line.history) if owner == project.name):
        for done in reversed(deployments(line.history, project.name, environment)):
            beside.record_deployment(done)
    for scan in scans:
        beside.record_commit(project.name, mirror.commit(scan.sha))
        beside.record_scan(project.name, only(check, scan))
    return Line(beside, mirror, project.name, line.branch).follow()


def only(check: str, scan: Scan) -> Scan:
    """A scan with the findings of one check."""
    parts = (
        replace(part, findings=tuple(one for one in part.findings if one.check_id == check)) for part in scan.frameworks
    )
    return replace(scan, frameworks=tuple(parts))


def _is_now(spell: Spell) -> bool:
    return spell.end is None
