"""What people decide of single findings: accept, false positive, assign, and undo; as events that are only ever added.

What stands is folded from the events, so that it is known for any moment what stood then. A decision that hides a finding
becomes a suppression, by the rules of suppressions.py. Deliberately absent: storing events, and the names that a finding
had through renames.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.judging.suppressions import Kind, Source, Suppression

LONGEST_REASON, LONGEST_NAME = 2000, 255
FOR_GOOD = date(9999, 12, 31)
"""The last day of what does not run out."""
_Alike = tuple["Ruling", str, str, datetime, datetime | None]
"""A ruling, its owner, whose word it is, from when it counts, and when it ended."""
_HIDING = {"accept": Kind.ACCEPT, "false-positive": Kind.FALSE_POSITIVE}


class Action(StrEnum):
    ACCEPT = "accept"
    FALSE_POSITIVE = "false-positive"
    ASSIGN = "assign"
    UNDO = "undo"


class State(StrEnum):
    STANDING = "standing"
    EXPIRED = "expired"
    UNDONE = "undone"
    REPLACED = "replaced"
    """By a later decision of the same kind of thing: hiding, or assigning."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What somebody decides, before it is said of which findings."""

    action: Action
    reason: str = ""
    owner: str = ""
    """Who answers for it; of an assignment, who sees to the finding."""
    expires: date = FOR_GOOD


@dataclass(frozen=True, slots=True)
class Event:
    """A ruling on one finding, by somebody."""

    fingerprint: str
    sha: str
    """The commit in which the finding was seen; it tells which of its lives is meant."""
    ruling: Ruling
    by: str
    at: datetime
    imported: datetime | None = None
    """When it was taken in from a file, which says ``by`` and ``at``; None where it was decided here."""
    imported_by: str = ""

    @property
    def counts_from(self) -> datetime:
        """No file changes what counted before it was taken in."""
        return max(self.at, self.imported or self.at)

    @property
    def said_by(self) -> str:
        """Who decided it, and whose word that is."""
        return f"{self.by} (imported by {self.imported_by})" if self.imported_by else self.by


@dataclass(frozen=True, slots=True)
class Decision:
    """An event with what became of it."""

    event: Event
    ended: datetime | None = None
    ended_by: str = ""
    was_undone: bool = False

    def state(self, day: date) -> State:
        if self.ended is not None:
            return State.UNDONE if self.was_undone else State.REPLACED
        return State.EXPIRED if self.event.ruling.expires < day else State.STANDING


def checked(given: Ruling, today: date) -> Ruling:
    """The ruling without needless space. Raises ConfigurationError that names everything that is missing or wrong."""
    ruling = replace(given, reason=given.reason.strip(), owner=" ".join(given.owner.split()))
    if faults := list(_faults(ruling, today)):
        raise ConfigurationError(f"This cannot be recorded: {'; '.join(faults)}.")
    return ruling


def _faults(ruling: Ruling, today: date) -> Iterable[str]:
    if not ruling.reason and ruling.action in (Action.ACCEPT, Action.FALSE_POSITIVE):
        yield "a reason is missing; whoever asks later why the finding does not count reads it"
    if not ruling.owner and ruling.action in (Action.ACCEPT, Action.ASSIGN):
        yield "an owner is missing, who answers for it"
    if ruling.action is Action.ACCEPT and ruling.expires == FOR_GOOD:
        yield "the last day is missing; what is accepted is accepted for a time"
    if ruling.expires < today:
        yield f"{ruling.expires} is over"
    if len(ruling.reason) > LONGEST_REASON or len(ruling.owner) > LONGEST_NAME:
        yield f"a reason has at most {LONGEST_REASON} characters, an owner {LONGEST_NAME}"


def last_day(today: date, days: int) -> date:
    """The last day of so many."""
    return today + timedelta(days=days)


def decisions(events: Iterable[Event], life_of: Mapping[str, str] | None = None) -> list[Decision]:
    """The decisions of some events, given in the order in which they were recorded; undoing is none, but ends one.

    ``life_of`` joins the names of one finding: what is decided under one name ends what was decided under another. An undo
    ends what hides a finding; where nothing does, its assignment.
    """
    named = life_of or {}
    found: list[Decision] = []
    standing: dict[tuple[str, bool], int] = {}
    for event in events:
        life, action = named.get(event.fingerprint, event.fingerprint), event.ruling.action
        place = (life, action is not Action.ASSIGN)
        if action is Action.UNDO:
            place = place if place in standing else (life, False)
        before = standing.pop(place, None)
        if before is not None:
            ended = {"ended": event.counts_from, "ended_by": event.said_by, "was_undone": action is Action.UNDO}
            found[before] = replace(found[before], **ended)  # type: ignore[arg-type]
        if action is not Action.UNDO:
            standing[place] = len(found)
            found.append(Decision(event))
    return found


def suppressions_of(found: Iterable[Decision], names: Mapping[str, frozenset[str]]) -> list[Suppression]:
    """The decisions that hide findings, as suppressions: one for all that were decided alike at one moment.

    ``names`` has every name of a finding by the one under which it was decided.
    """
    alike = defaultdict[_Alike, list[str]](list)
    for one in found:
        if one.event.ruling.action.value in _HIDING:
            event, owner = one.event, one.event.ruling.owner or one.event.by
            alike[event.ruling, owner, event.said_by, event.counts_from, one.ended].append(event.fingerprint)
    return [_suppression(key, marks, names) for key, marks in alike.items()]


def _suppression(key: _Alike, marks: Sequence[str], names: Mapping[str, frozenset[str]]) -> Suppression:
    ruling, owner, by, at, ended = key
    every = frozenset[str]().union(*(names.get(mark, frozenset((mark,))) for mark in marks))
    return Suppression(
        reason=ruling.reason,
        owner=owner,
        expires=ruling.expires,
        since=at.astimezone(UTC).date(),
        kind=_HIDING[ruling.action.value],
        by=by,
        at=at,
        ended=ended,
        source=Source.TRIAGE,
        names=every,
        ids=tuple(sorted(marks)),
    )


def counted_findings(number: int) -> str:
    """So many findings, in words."""
    return "1 finding" if number == 1 else f"{number} findings"
