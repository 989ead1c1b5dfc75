"""What was live in an environment from when to when. Deliberately absent: reading the history and the clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from infraaudit_domain.delivery.deployments import TRIED, Deployment, Order, Outcome


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time over which one commit was live without a break, whatever was deployed of it again."""

    sha: str
    start: datetime
    end: datetime | None = None
    """None where it is live now."""
    was_taken_back: bool = False
    """Whether a rollback ended it, or tried to."""

    def hours(self, now: datetime) -> float:
        return max(0.0, ((self.end or now) - self.start).total_seconds() / 3600)


def live_periods(attempts: Iterable[Deployment], positions: Mapping[str, int]) -> list[Period]:
    """The periods of one environment, oldest first, as are the attempts; ``positions`` are along the deploy branch."""
    order, periods = Order(positions), list[Period]()
    for attempt in attempts:
        if attempt.outcome not in TRIED:
            continue
        last = periods[-1] if periods else None
        if last and order.goes_back(attempt.sha, last.sha):
            periods[-1] = last = replace(last, was_taken_back=True)
        if attempt.outcome is not Outcome.DEPLOYED:
            continue
        order.note_healthy(attempt.sha)
        if last is None or last.sha != attempt.sha:
            if last:
                periods[-1] = replace(last, end=attempt.finished_at)
            periods.append(Period(attempt.sha, attempt.finished_at))
    return periods
