"""Looks at what is live: when the next one is due, and what of one is worth showing.

Deliberately absent: looking (infraaudit/deploying/look.py), the clock, and where looks are kept.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

_QUIET_LOOKS, _SLOWER = 12, 3
"""After so many looks at which nothing was new, the next ones are so many times as far apart."""
_REMINDER = timedelta(days=1)
_OTHER_WORDS = timedelta(hours=1)
"""An unhealthy environment may word its reason anew at every look."""
_MORE_LINES = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at an environment found."""

    passed: bool
    words: str
    sha: str = ""
    """The live commit; empty where nothing is live, or it is not known."""
    drift: tuple[str, ...] = ()
    healed: str = ""
    """The mark of the drift that was put right, at this look or before; empty where none was."""

    @property
    def mark(self) -> str:
        """Equal for looks that found the same, however it is worded."""
        return mark_of([str(self.passed), self.sha, *self.drift])

    @property
    def shown_mark(self) -> str:
        """The mark of what was found, and that of its words."""
        return f"{self.mark}:{mark_of([self.words])}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of an environment from the looks before."""

    look: Look | None = None
    due_at: datetime | None = None
    quiet: int = 0
    """Looks in a row at which nothing was new."""
    shown_at: datetime | None = None
    shown_mark: str = ""
    lines: int = 0
    """Log lines that were collected and not shown yet."""
    lines_shown_at: datetime | None = None


def mark_of(lines: Iterable[str]) -> str:
    """A short digest of lines, whatever their order."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def is_news(before: Seen, look: Look, now: datetime) -> bool:
    """Whether a look is to be shown: something changed, or a day has passed."""
    if before.shown_at is None or before.shown_mark.partition(":")[0] != look.mark:
        return True
    patience = _REMINDER if before.shown_mark == look.shown_mark else _OTHER_WORDS
    return now - before.shown_at >= patience


def are_news(seen: Seen, now: datetime) -> bool:
    """Whether the log lines that were collected are to be shown now: at most once an hour."""
    return seen.lines > 0 and (seen.lines_shown_at is None or now - seen.lines_shown_at >= _MORE_LINES)


def quiet_looks(before: Seen, look: Look, fresh_lines: int) -> int:
    """The number of quiet looks in a row, this one included."""
    is_quiet = before.look is not None and before.look.mark == look.mark and not fresh_lines
    return before.quiet + 1 if is_quiet else 0


def pause(quiet: int, shortest: timedelta) -> timedelta:
    """The time until the next look, after a number of quiet ones."""
    return shortest * (_SLOWER if quiet >= _QUIET_LOOKS else 1)
