"""The life of one finding along a line of commits: introduced, moved, suppressed, fixed, reopened.

Only complete scans tell that a finding is gone. Deliberately absent: renames, which the caller resolves.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a commit's scan said of the finding; ``status`` is None where it did not have it."""

    sha: str
    complete: bool
    status: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class LifeEvent:
    sha: str
    event: str
    """introduced, moved, suppressed, unsuppressed, fixed or reopened."""
    line: int


def life_of(sightings: Sequence[Sighting]) -> list[LifeEvent]:
    """The events of a finding, from its sightings in the order of commits."""
    events: list[LifeEvent] = []
    before: Sighting | None = None
    for seen in sightings:
        if seen.status is None:
            if before is not None and before.status is not None and seen.complete:
                events.append(LifeEvent(seen.sha, "fixed", before.line))
                before = seen
            continue
        name = _what_happened(before, seen)
        if name:
            events.append(LifeEvent(seen.sha, name, seen.line))
        before = seen
    return events


def _what_happened(before: Sighting | None, now: Sighting) -> str | None:
    if before is None:
        return "introduced"
    if before.status is None:
        return "reopened"
    if before.status != now.status:
        return "suppressed" if now.status == "suppressed" else "unsuppressed"
    return "moved" if before.line != now.line else None
