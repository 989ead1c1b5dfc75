"""The four DORA measures (dora.dev) from deployments as facts.

Definitions. A *change* is an attempt to bring a commit into an environment: deployed, rolled back, failed or degraded.
What was skipped or superseded changed nothing. What puts back the release that is live, or an older commit, repairs
and brings no change, so that neither doubles a deployment nor dilutes a rate.

- Deployment frequency: changes that became healthy, a day; also those that were taken back later.
- Lead time for changes: from a commit's time to the end of the healthy deployment that first brought it, median over
  every commit (merged branches included) that what was live before did not have; the first deployment to an
  environment brings itself alone.
- Change failure rate: changes that did not become healthy, and those that a rollback took back, by hand or not and
  however late, of all changes. A rollback takes back what was live when it came, nothing in between, and says so also
  where it fails itself.
- Time to restore: from the end of an attempt that did not become healthy, or from when a change that was taken back
  went live, to the end of the next healthy attempt: a good deployment or the rollback. Median; counted once for a row
  of failures.

Deliberately absent: reading the history and the clock; the caller gives both.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from infraaudit_domain.delivery.deployments import TRIED, Deployment, Order, Outcome


@dataclass(frozen=True, slots=True)
class Dora:
    """The measures of one project and environment in one window; None is no data."""

    days: float
    attempts: int
    """Changes that were tried."""
    deployed: int
    """Of these, those that became healthy, also where they were taken back later."""
    per_day: float
    lead_seconds: float | None
    failure_ratio: float | None
    restore_seconds: float | None
    incident_open: bool
    """Whether the last attempt, of whatever age, did not become healthy."""


def measure(
    deployments: Iterable[Deployment],
    lead_seconds: Sequence[float],
    now: datetime,
    days: float = 30,
    positions: Mapping[str, int] | None = None,
) -> Dora:
    """Measure deployments of one project and environment, in any order.

    ``lead_seconds`` is of every commit that first became healthy in the window; ``positions`` are those of commits
    along the deploy branch, from 0.
    """
    past = _Past(Order(positions or {}))
    for attempt in sorted((d for d in deployments if d.outcome in TRIED), key=lambda d: d.finished_at):
        past.take_in(attempt)
    since = now - timedelta(days=days)
    recent = [change for change in past.changes if since <= change.ended <= now]
    deployed = sum(change.became_healthy for change in recent)
    restores = [seconds for end, seconds in past.restores if since <= end <= now]
    return Dora(
        days=days,
        attempts=len(recent),
        deployed=deployed,
        per_day=deployed / days,
        lead_seconds=median(lead_seconds) if lead_seconds else None,
        failure_ratio=sum(change.failed for change in recent) / len(recent) if recent else None,
        restore_seconds=median(restores) if restores else None,
        incident_open=past.broken_since is not None,
    )


@dataclass(slots=True)
class _Change:
    ended: datetime
    became_healthy: bool
    failed: bool


@dataclass(slots=True)
class _Past:
    """What the attempts so far, oldest first, come to."""

    order: Order
    changes: list[_Change] = field(default_factory=list)
    restores: list[tuple[datetime, float]] = field(default_factory=list)
    """The end and the length of every time in which something was broken."""
    broken_since: datetime | None = None
    live: Deployment | None = None
    live_since: datetime | None = None
    brought_by: dict[str, _Change] = field(default_factory=dict)
    """The newest change that made a commit live."""

    def take_in(self, attempt: Deployment) -> None:
        is_healthy = attempt.outcome is Outcome.DEPLOYED
        if self.live and self.order.goes_back(attempt.sha, self.live.sha):
            if taken_back := self.brought_by.get(self.live.sha):
                taken_back.failed = True
            self.broken_since = self.live_since
        elif not (self.live and (attempt.sha, attempt.image) == (self.live.sha, self.live.image)):
            change = _Change(attempt.finished_at, is_healthy, failed=not is_healthy)
            self.changes.append(change)
            if is_healthy:
                self.brought_by[attempt.sha] = change
        if is_healthy:
            self._restore(attempt)
        else:
            self.broken_since = self.broken_since or attempt.finished_at

    def _restore(self, healthy: Deployment) -> None:
        if self.broken_since is not None:
            self.restores.append((healthy.finished_at, (healthy.finished_at - self.broken_since).total_seconds()))
            self.broken_since = None
        if self.live is None or self.live.sha != healthy.sha:
            self.live_since = healthy.finished_at
        self.live = healthy
        self.order.note_healthy(healthy.sha)
