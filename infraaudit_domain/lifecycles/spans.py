"""A finding's lifecycle as a chain of spans, what one commit does to it, and what that depends on.

Deliberately absent: the rules (lifecycle.py).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from infraaudit_domain.lifecycles.moved_blocks import Move
from infraaudit_domain.lifecycles.readings import Reading
from infraaudit_domain.scans.findings import Finding

FIXED, MOVED = "fixed", "moved"
COMING = ("introduced", "reopened")
HIDDEN_OR_SHOWN = ("suppressed", "unsuppressed")
BEFORE_THE_ROOT = -1
"""The position before the first commit of a history, which lacks everything."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of commits over which a finding stood; positions count along the line of commits from 0.

    Each event lies after ``…_after``, the last position that is known to be otherwise (None where no commit is), and
    not later than its position. ``…_sha`` is the commit whose doing it was: the one there, or one of a branch that it
    merged; None where that is not known.
    """

    life: str
    """The same for every span of one finding, through renames and reopenings."""
    finding: Finding
    introduced: int
    introduced_after: int | None
    introduced_sha: str | None
    opened: int
    """Where it was introduced or last reopened."""
    opened_after: int | None
    opened_sha: str | None
    start: int
    start_after: int | None
    start_sha: str | None
    started_as: str
    """found (no commit is known to lack it), introduced, reopened, moved, suppressed or unsuppressed."""
    start_cause: str
    """code, config or scanner."""
    end: int | None = None
    """The first commit without it (in this form); None is still there."""
    end_after: int | None = None
    """The last commit that is known to have it; for a span without end only where later scans did not read its file."""
    end_sha: str | None = None
    ended_as: str | None = None
    """fixed, moved, suppressed or unsuppressed."""
    end_cause: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one commit did: spans that ended with it, spans that began, and those that go in or out of sight."""

    ended: tuple[Span, ...] = ()
    started: tuple[Span, ...] = ()
    resighted: tuple[Span, ...] = ()
    """Spans that stand on, with a new ``end_after``."""


class Past(Protocol):
    """What a step may have to ask of the history and of Git; each is asked only where it can matter."""

    def renames(self) -> Mapping[str, str]:
        """New path by old, since the reading before."""

    def moves(self) -> Sequence[Move]:
        """The moved blocks of Terraform in the files that differ from the reading before."""

    def cross(self) -> Mapping[str, Finding] | None:
        """The findings of the reading before's files under the circumstances of now, where that was scanned."""

    def fixed(self, fingerprints: Collection[str]) -> Mapping[str, Span]:
        """The newest fixed span of each of some fingerprints."""

    def earlier(self) -> Iterable[tuple[Reading, Mapping[str, str]]]:
        """Every reading from the one before on, the newest first, each with the old path by new since then."""

    def added_files(self) -> Collection[str]:
        """The files that the commit itself added; all of them for a root commit."""

    def parents(self) -> Sequence[str]:
        """The parents of the commit."""

    def brought(self, findings: Mapping[str, Finding], event: str) -> Mapping[str, str]:
        """For a merge: the commits whose doing an event is, by finding as it is after it, as far as is known."""
