"""The events of a finding's life whose commit is not known, and which commit to scan next to find it.

On the line it is the middle of what lies in between. A merged branch is walked from its tip: only a commit whose whole
way to the merge is known can be named (infraaudit_domain/lifecycles/merges.py). Deliberately absent: scanning (narrowing.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from infraaudit.scans.lifecycles import Line
from infraaudit.scans.merged_commits import MergedSide
from infraaudit.scans.readings import Readings
from infraaudit.scans.stored_past import span_of
from infraaudit_domain.errors import NotThereError
from infraaudit_domain.lifecycles.merges import unread
from infraaudit_domain.lifecycles.narrowing import Doubt, doubts, middle
from infraaudit_domain.scans.findings import ScanStatus
from resources.history import schema
from resources.history.queries.lives import spans_of_lives
from resources.history.queries.ranges import event_range
from resources.history.stored_line import StoredLine

_NAMED = 3
"""Commits that a reason names."""


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """An event whose commit is not known, and what can be done about it."""

    id: str
    event: str
    commit: str
    """The first that is known to be so."""
    after: str | None
    certainty: str
    next: str | None
    """The commit to scan next; None where no scan can help, for the reason."""
    reason: str = ""


def one_finding(line: StoredLine, given: str) -> str:
    """The id of the finding that the beginning of its id, or of a lifecycle's, means. Raises NotThereError."""
    spans = spans_of_lives(line, given)
    named = sorted({span["fingerprint"] for span in spans if span["fingerprint"].startswith(given)})
    if not named and len({span["life"] for span in spans}) == 1:
        named = [spans[-1]["fingerprint"]]
    if not spans:
        raise NotThereError(f"No commit of {line.branch} of {line.project} ever had a finding {given}.")
    if len(named) != 1:
        raise NotThereError(f"More than one finding begins with {given}: {', '.join(named[:5])}.")
    return str(named[0])


def unknown_events(
    line: Line, fingerprint: str, unscannable: Mapping[str, str] = MappingProxyType({})
) -> list[UnknownEvent]:
    """The events in a finding's life whose commit is not known; ``unscannable`` are reasons by commit."""
    spans = [span_of(row) for row in spans_of_lives(line, fingerprint)]
    with line.history.reading() as connection:
        search = _Search(line, connection, unscannable)
        return [search.at(doubt) for doubt in doubts(spans)]


def narrow_rows(line: Line, fingerprint: str) -> list[dict[str, Any]]:
    """The same as rows, each with the command that makes the scans: every scan decides which one is next."""
    command = f"infraaudit blame {fingerprint} --narrow --project {line.project}"
    found = unknown_events(line, fingerprint)
    return [asdict(event) | {"run": command if event.next else None} for event in found]


@dataclass(slots=True)
class _Search:
    line: Line
    connection: sa.Connection
    unscannable: Mapping[str, str]
    statuses: dict[str, str] = field(init=False)
    """Of every scan of the project, by commit."""

    def __post_init__(self) -> None:
        scans = schema.scans
        query = sa.select(scans.c.sha, scans.c.status).where(scans.c.project == self.line.project)
        self.statuses = {row.sha: row.status for row in self.connection.execute(query)}

    def at(self, doubt: Doubt) -> UnknownEvent:
        wanted, reason = self._next(doubt)
        known = event_range(self.line.shas, doubt.position, doubt.after, None)
        return UnknownEvent(doubt.finding.fingerprint, doubt.event, next=wanted, reason=reason, **known)

    def _next(self, doubt: Doubt) -> tuple[str | None, str]:
        shas = self.line.shas
        pruned = self.line.newest_pruned(self.connection, doubt.between.start)
        between = [position for position in doubt.between if pruned is None or position > pruned]
        position = middle(between, {each for each in between if self._can_be_scanned(shas[each])})
        if position is not None:
            return shas[position], ""
        if pruned is not None and pruned >= doubt.between.start:
            return None, f"the findings of {shas[pruned][:12]} were pruned, and lives up to it stay as they are"
        if doubt.between:
            return None, "; ".join(self._why(doubt, [shas[each] for each in doubt.between]))
        return self._next_of_merge(doubt)

    def _next_of_merge(self, doubt: Doubt) -> tuple[str | None, str]:
        merge = self.line.shas[doubt.position]
        first, *others = self.line.mirror.parents([merge]).get(merge) or [""]
        if not others:
            return None, "its parents are not in the mirror: the repository is shallow"
        side = MergedSide(self.line.mirror, Readings(self.connection, self.line.project), [first, *others])
        needed = unread(doubt.finding, doubt.event, merge, others, side)
        wanted = next((sha for sha in needed if self._can_be_scanned(sha)), None)
        return wanted, "" if wanted else "; ".join(self._why(doubt, needed))

    def _can_be_scanned(self, sha: str) -> bool:
        return sha not in self.statuses and sha not in self.unscannable

    def _why(self, doubt: Doubt, shas: Sequence[str]) -> Iterator[str]:
        failed = [sha for sha in shas if sha in self.unscannable or self.statuses.get(sha) == ScanStatus.FAILED]
        silent = [sha for sha in shas if sha not in failed]
        for sha in failed[:_NAMED]:
            yield f"{sha[:12]} could not be scanned: {self.unscannable.get(sha) or 'its scan failed'}"
        if silent:
            yield f"{doubt.finding.file_path} was not read at {', '.join(sha[:12] for sha in silent[:_NAMED])}"
        if more := max(0, len(failed) - _NAMED) + max(0, len(silent) - _NAMED):
            yield f"and {more} commits more"
