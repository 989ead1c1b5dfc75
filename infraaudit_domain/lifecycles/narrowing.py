"""Which events of a finding's life have no commit yet, and which commit to scan next to find it: the middle one.

Deliberately absent: scanning (infraaudit/scans/narrowing.py), and merged branches (merges.py).
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from infraaudit_domain.lifecycles.spans import Span
from infraaudit_domain.scans.findings import Finding

MOST_SCANS = 40
"""Of one search: enough for a line of a million commits, and for some that cannot be scanned."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An event whose commit is not known: it lies after one position of a line and not later than another."""

    event: str
    finding: Finding
    after: int | None
    """None where no commit is known to be otherwise."""
    position: int

    @property
    def between(self) -> range:
        """The positions that may be otherwise, all of which the scans so far say nothing about."""
        return range(0 if self.after is None else self.after + 1, self.position)


def doubts(spans: Iterable[Span]) -> Iterator[Doubt]:
    """The events without a commit, in the order of the spans."""
    for span in spans:
        if span.start_sha is None:
            yield Doubt(span.started_as, span.finding, span.start_after, span.start)
        if span.ended_as == "fixed" and span.end is not None and span.end_sha is None:
            yield Doubt("fixed", span.finding, span.end_after, span.end)


def middle(between: Iterable[int], can_be_scanned: Collection[int]) -> int | None:
    """The position to scan next; None where nothing is left to scan.

    The middle of what can be scanned, not of the range: each scan that says whether the finding is there halves what is
    left, and one that does not takes itself away.
    """
    left = [position for position in between if position in can_be_scanned]
    return left[len(left) // 2] if left else None
