"""How old a finding is, as far as the history knows: at least since a commit that has it, at most since one that lacks it.

Deliberately absent: guessing. Where no commit is known to lack a finding, its age has no upper bound.
"""

from dataclasses import dataclass
from datetime import datetime

_DAY = 86400


@dataclass(frozen=True, slots=True)
class Age:
    """The bounds of an age, in days; they are equal where the commit that opened the finding is known."""

    at_least: float
    at_most: float | None
    """None where nothing bounds it."""

    @property
    def is_exact(self) -> bool:
        return self.at_least == self.at_most


def is_exact(after: int | None, position: int) -> bool:
    """Whether an event that lies after one position and not later than another has only one commit to be of."""
    return after is not None and after == position - 1


def age_of(opened: datetime, is_known: bool, lacking: datetime | None, now: datetime) -> Age:
    """``opened`` is the time of the first commit that is known to have a finding, ``lacking`` of the last that is known
    to lack it; ``is_known`` is whether the two are neighbours. Clocks of committers differ: a bound never crosses."""
    at_least = (now - opened).total_seconds() / _DAY
    if is_known:
        return Age(at_least, at_least)
    return Age(at_least, None if lacking is None else max(at_least, (now - lacking).total_seconds() / _DAY))
