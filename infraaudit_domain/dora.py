"""The four DORA measures from deployments as facts.

Definitions. An attempt is a deployment that was tried: deployed, rolled back, failed or degraded (what was skipped
or superseded changed nothing and does not count). Deployment frequency: healthy attempts a day. Lead time: from a
commit's time to the end of the healthy deployment that first brought it, median over every commit (merged branches
included) that what was live before did not have; the first deployment to an environment brings itself alone. Change
failure rate: attempts that did not become healthy, of all attempts. Time to restore: from the end of a failed attempt
to the next healthy one, median, counted once for a row of failures. Deliberately absent: reading the history and the
clock; the caller gives both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from infraaudit_domain.deployments import Deployment, Outcome

TRIED = frozenset({Outcome.DEPLOYED, Outcome.ROLLED_BACK, Outcome.FAILED, Outcome.DEGRADED})


@dataclass(frozen=True, slots=True)
class Dora:
    """The measures of one project and environment in one window; None is no data."""

    days: float
    attempts: int
    deployed: int
    per_day: float
    lead_seconds: float | None
    failure_ratio: float | None
    restore_seconds: float | None
    incident_open: bool
    """Whether the last attempt, of whatever age, did not become healthy."""


def measure(deployments: Sequence[Deployment], lead_seconds: Sequence[float], now: datetime, days: float = 30) -> Dora:
    """Measure deployments of one project and environment, in any order.

    ``lead_seconds`` holds the lead time of every commit that first became healthy in the window.
    """
    tried = sorted((d for d in deployments if d.outcome in TRIED), key=lambda d: d.finished_at)
    since = now - timedelta(days=days)
    recent = [d for d in tried if since <= d.finished_at <= now]
    healthy = [d for d in recent if d.outcome is Outcome.DEPLOYED]
    restores = [seconds for end, seconds in _restores(tried) if since <= end <= now]
    return Dora(
        days=days,
        attempts=len(recent),
        deployed=len(healthy),
        per_day=len(healthy) / days,
        lead_seconds=median(lead_seconds) if lead_seconds else None,
        failure_ratio=(len(recent) - len(healthy)) / len(recent) if recent else None,
        restore_seconds=median(restores) if restores else None,
        incident_open=bool(tried) and tried[-1].outcome is not Outcome.DEPLOYED,
    )


def _restores(tried: Sequence[Deployment]) -> list[tuple[datetime, float]]:
    """When each incident ended and how long it lasted: from a failed attempt to the next healthy one."""
    found: list[tuple[datetime, float]] = []
    broken: datetime | None = None
    for attempt in tried:
        if attempt.outcome is not Outcome.DEPLOYED:
            broken = broken or attempt.finished_at
        elif broken is not None:
            found.append((attempt.finished_at, (attempt.finished_at - broken).total_seconds()))
            broken = None
    return found
