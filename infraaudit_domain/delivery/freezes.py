"""When an environment takes no deployments: between two dates, or for a while from each time of a cron expression.

Deliberately absent: reading cron expressions (resources/configuration/freezes.py), and the clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

_FOR_GOOD = timedelta(days=400)
"""Windows that follow each other for so long have no end that anybody could wait for."""


class Starts(Protocol):
    """The times at which windows begin."""

    def latest(self, now: datetime) -> datetime | None:
        """The last of them that is not after a moment, with its time zone; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long a window is: days by the clock on the wall, so that 2 days from Friday 18:00 end on Sunday 18:00 also
    where the clocks change in between, and then a time that passes."""

    days: int = 0
    more: timedelta = timedelta()

    def end(self, start: datetime) -> datetime:
        """The end in UTC of a window that begins at a moment, which has its time zone."""
        return (start + timedelta(days=self.days)).astimezone(UTC) + self.more


@dataclass(frozen=True, slots=True)
class Freeze:
    """Windows in which nothing is deployed."""

    starts: Starts
    lasts: Lasting
    reason: str = ""

    def end(self, now: datetime) -> datetime | None:
        """When the window ends that a moment lies in; None where it lies in none. A window's own end is outside."""
        start = self.starts.latest(now)
        end = self.lasts.end(start) if start else None
        return end if end and end > now else None


@dataclass(frozen=True, slots=True)
class Between:
    """One window, between two moments."""

    start: datetime
    stop: datetime
    reason: str = ""

    def end(self, now: datetime) -> datetime | None:
        return self.stop if self.start <= now < self.stop else None


@dataclass(frozen=True, slots=True)
class Frozen:
    """An environment that takes no deployments now."""

    until: datetime | None
    """In UTC; None where windows follow each other without an end in sight."""
    reason: str = ""

    def __str__(self) -> str:
        end = f"until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else "for good, as its windows leave no gap"
        return f"deployments are frozen {end}" + (f": {self.reason}" if self.reason else "")


def frozen(windows: Iterable[Freeze | Between], now: datetime) -> Frozen | None:
    """Whether an environment is frozen at a moment, and until when: windows that overlap or touch count as one."""
    every = tuple(windows)
    at, reasons = now, list[str]()
    while ends := [(end, window.reason) for window in every if (end := window.end(at))]:
        reasons += [reason for _, reason in ends if reason and reason not in reasons]
        at = max(end for end, _ in ends)
        if at - now > _FOR_GOOD and any(window.end(at) for window in every):
            return Frozen(None, "; ".join(reasons))
    return Frozen(at.astimezone(UTC), "; ".join(reasons)) if at > now else None
