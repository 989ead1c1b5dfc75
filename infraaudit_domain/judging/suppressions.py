"""Findings that a project's owners decided to accept, for a limited time and with a reason.

Kept in InfraAudit's own configuration, or recorded by triage (triage.py), so that a commit cannot hide its own findings
there. A suppression counts through its last day and not a day longer. Deliberately absent: Checkov's inline comments,
which a scan reports itself, and reading the file (resources/configuration/suppressions.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol

from infraaudit_domain.lifecycles.changes import FindingChanges
from infraaudit_domain.scans.findings import Finding, FindingStatus, Scan


class Source(StrEnum):
    """Where a decision on findings is kept."""

    FILE = "file"
    """The project's suppressions."""
    TRIAGE = "triage"
    """The history."""


class Kind(StrEnum):
    """What a decision says of a finding that it hides."""

    ACCEPT = "accept"
    """It is right, and lived with."""
    FALSE_POSITIVE = "false-positive"
    """It is wrong."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """One decision; what is not named (None) matches everything."""

    reason: str
    owner: str
    expires: date
    """The last day on which it counts."""
    id: str | None = None
    """A finding's id, or the beginning of one."""
    check: str | None = None
    """A check's id; ``*`` and ``?`` stand for any text and any character, as in the two below."""
    path: str | None = None
    resource: str | None = None
    since: date | None = None
    """The day on which it was decided."""
    kind: Kind = Kind.ACCEPT
    by: str = ""
    """Who decided it, where that is recorded."""
    at: datetime | None = None
    """The moment at which it was decided, where that is recorded."""
    ended: datetime | None = None
    """The moment from which it counts no longer: it was undone, or another decision took its place."""
    source: Source = Source.FILE
    names: frozenset[str] = field(default=frozenset(), repr=False)
    """Of triage: the ids of its findings under every name that they had; only these match."""
    ids: tuple[str, ...] = field(default=(), repr=False)
    """Of triage: the ids under which it was decided."""

    def matches(self, finding: Finding) -> bool:
        """Whether it is about this finding, today or not."""
        if self.source is Source.TRIAGE and finding.fingerprint not in self.names:
            return False
        if self.id is not None and not finding.fingerprint.startswith(self.id):
            return False
        patterns = ((self.check, finding.check_id), (self.path, finding.file_path), (self.resource, finding.resource))
        return all(pattern is None or fnmatchcase(text, pattern) for pattern, text in patterns)

    def counts_on(self, day: date) -> bool:
        """Whether it counts at the end of a day."""
        return self._is_dated(day) and (self.ended is None or day < self.ended.date())

    def counts_at(self, moment: datetime) -> bool:
        """Whether it counted at a moment of the past."""
        has_begun = self.at is None or self.at <= moment
        return (
            has_begun and self._is_dated(moment.astimezone(UTC).date()) and (self.ended is None or moment < self.ended)
        )

    def had_expired(self, day: date) -> bool:
        """Whether it had run out on a day, and nobody had decided anew."""
        return self.expires < day and (self.ended is None or day < self.ended.date())

    def _is_dated(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and day <= self.expires

    @property
    def shown_id(self) -> str | None:
        """The id of the one finding that it is about, or its beginning; None where it is about several."""
        return self.ids[0] if len(self.ids) == 1 else self.id

    @property
    def title(self) -> str:
        return f"suppression of {self}"

    def __str__(self) -> str:
        if len(self.ids) > 1:
            return f"{len(self.ids)} findings"
        named = (("id", self.shown_id), ("check", self.check), ("path", self.path), ("resource", self.resource))
        return ", ".join(f"{name} {value}" for name, value in named if value is not None)


class Decision(Protocol):
    """What somebody decided for a limited time: a suppression, or what a commit may hide."""

    @property
    def title(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def expires(self) -> date: ...


@dataclass(frozen=True, slots=True)
class Lapsed:
    """An expired decision that open findings still match: it has to be decided anew."""

    decision: Decision
    findings: tuple[Finding, ...]


def suppressed_by(finding: Finding, suppressions: Iterable[Suppression], day: date) -> Suppression | None:
    """The first suppression that hides an open finding on a day."""
    if not finding.is_open:
        return None
    return next((one for one in suppressions if one.counts_on(day) and one.matches(finding)), None)


def suppressed_at(finding: Finding, suppressions: Iterable[Suppression], moment: datetime) -> Suppression | None:
    """The first suppression that hid an open finding at a moment of the past."""
    if not finding.is_open:
        return None
    return next((one for one in suppressions if one.counts_at(moment) and one.matches(finding)), None)


def hide(finding: Finding, suppressions: Iterable[Suppression], day: date) -> Finding:
    """The finding as it counts on a day: suppressed, with the reason, where a suppression hides it."""
    found = suppressed_by(finding, suppressions, day)
    if found is None:
        return finding
    by = found.source.value
    return replace(finding, status=FindingStatus.SUPPRESSED, suppression_reason=found.reason, suppressed_by=by)


def hide_in(scan: Scan, suppressions: Sequence[Suppression], day: date) -> Scan:
    """A scan as it counts on a day."""
    if not suppressions:
        return scan
    parts = (
        replace(part, findings=tuple(hide(finding, suppressions, day) for finding in part.findings))
        for part in scan.frameworks
    )
    return replace(scan, frameworks=tuple(parts))


def lapsed(findings: Sequence[Finding], suppressions: Iterable[Suppression], day: date) -> list[Lapsed]:
    """The expired suppressions, with the findings that no other one hides, so that they are open again."""
    still_open = [finding for finding in findings if finding.is_open]
    ended = ((one, tuple(filter(one.matches, still_open))) for one in suppressions if one.had_expired(day))
    return [Lapsed(one, found) for one, found in ended if found]


def hide_in_changes(changes: FindingChanges, suppressions: Iterable[Suppression], day: date) -> FindingChanges:
    """Changes without the new findings that a suppression hides."""
    kept = list(suppressions)
    new, perhaps_new = (
        tuple(finding for finding in found if suppressed_by(finding, kept, day) is None)
        for found in (changes.new, changes.perhaps_new)
    )
    return replace(changes, new=new, perhaps_new=perhaps_new)
