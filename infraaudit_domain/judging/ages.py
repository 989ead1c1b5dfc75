"""How old a finding is and whose doing it was, as far as the history knows.

An age has two bounds: at least since a commit that has the finding, at most since one that lacks it. Deliberately
absent: guessing. Where no commit is known to lack a finding, its age has no upper bound.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_DAY = 86400


@dataclass(frozen=True, slots=True)
class Age:
    """The bounds of an age, in days; they are equal where the commit that opened the finding is known."""

    at_least: float
    at_most: float | None
    """None where nothing bounds it."""


class Certainty(StrEnum):
    """How well it is known whose doing an event was."""

    EXACT = "exact"
    BETWEEN = "between"
    """After one commit, and not later than another."""
    BEFORE = "before"
    """Not later than a commit: none is known to be otherwise."""


def certainty(after: int | None, sha: str | None) -> Certainty:
    """``after`` is the last position that is known to be otherwise, ``sha`` the commit whose doing it was."""
    if sha:
        return Certainty.EXACT
    return Certainty.BEFORE if after is None else Certainty.BETWEEN


def age_of(opened: datetime, is_known: bool, lacking: datetime | None, now: datetime) -> Age:
    """``opened`` is the time of the first commit that is known to have a finding, ``lacking`` of the last that is known
    to lack it; ``is_known`` is whether the first is the one that opened it. Clocks of committers differ: bounds never
    cross."""
    at_least = (now - opened).total_seconds() / _DAY
    if is_known:
        return Age(at_least, at_least)
    return Age(at_least, None if lacking is None else max(at_least, (now - lacking).total_seconds() / _DAY))
