"""What stands by triage as a file of suppressions, and back: a site may keep its decisions in Git.

Written is what stands, with who decided it, when, and in which commit the finding was seen; read again, it is the same.
What was undone or replaced stays in the history alone. Entries with patterns are no decisions on single findings: they stay
in their file.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import yaml

from infraaudit.accepted import decided
from infraaudit.scans.unknown_events import one_finding
from infraaudit_domain.errors import ConfigurationError, NotThereError
from infraaudit_domain.judging.audit_log import Act, Actor
from infraaudit_domain.judging.triage import Action, Event, Ruling, checked
from resources.configuration.suppressions import Written, read_written
from resources.history import History
from resources.history.decisions.triage import events_of, record_events
from resources.history.queries.finding_life import finding_life
from resources.history.stored_line import StoredLine

_HEADER = """# What stands by triage, written by `infraaudit triage export`. `infraaudit triage import` takes it in again; as
# configs/suppressions/PROJECT.yaml it counts wherever this repository's configuration does.
"""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of the entries of a file."""

    recorded: int
    known: int
    unknown: int
    """Entries whose finding no commit of the project ever had."""
    patterns: int
    """Entries that are not about a single finding; they count as long as they are in the project's file."""


def exported_decisions(history: History, project: str) -> str:
    """The text of a file with what stands now."""
    standing = [one.event for one in decided(history, project)[0] if one.ended is None]
    hiding = [_entry(event) for event in standing if event.ruling.action is not Action.ASSIGN]
    assigned = [_entry(event) for event in standing if event.ruling.action is Action.ASSIGN]
    document = {name: some for name, some in (("suppressions", hiding), ("assignments", assigned)) if some}
    text = (
        yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000) if document else "suppressions: []\n"
    )
    return _HEADER + text


def _entry(event: Event) -> dict[str, Any]:
    ruling = event.ruling
    entry: dict[str, Any] = {"id": event.fingerprint, "reason": ruling.reason, "owner": ruling.owner or event.by}
    if ruling.action is not Action.ASSIGN:
        entry |= {"expires": ruling.expires, "since": event.at.date(), "kind": ruling.action.value}
    entry |= {"by": event.by, "at": event.at.isoformat(), "commit": event.sha}
    return {name: value for name, value in entry.items() if value != ""}


def take_in(history: History, line: StoredLine, file: Path, actor: Actor, now: datetime, dry_run: bool) -> TakenIn:
    """Record the decisions of a file that are not known yet. Raises ConfigurationError, HistoryError."""
    written, patterns = read_written(file)
    known = events_of(history, line.project)
    standing = [each.event for each in decided(history, line.project)[0] if each.ended is None]
    new: dict[str, list[Event]] = {}
    facts: dict[str, dict[str, Any]] = {}
    unknown = already = 0
    for one in written:
        finding = _finding(line, one.id)
        if finding is None:
            unknown += 1
            continue
        event = _event(one, finding, actor, now)
        # What has no moment is a new decision, where the same stood once and was undone.
        if any(_is_same(event, before, one.at) for before in (known if one.at else standing)):
            already += 1
            continue
        facts[event.fingerprint] = finding
        new.setdefault(event.fingerprint, []).append(event)
    events = [event for some in new.values() for event in some]
    if not dry_run:
        record_events(history, line.project, events, facts, actor, str(file), Act.IMPORT)
    return TakenIn(len(events), already, unknown, patterns)


def _finding(line: StoredLine, given: str) -> dict[str, Any] | None:
    try:
        life = finding_life(line, given if len(given) == 32 else one_finding(line, given))
    except NotThereError:
        return None
    return None if life is None else life.finding


def _event(one: Written, finding: dict[str, Any], actor: Actor, now: datetime) -> Event:
    action = Action(one.suppression.kind.value) if one.suppression else Action.ASSIGN
    by = one.by or actor.name
    at = _moment(one, now)
    # The owner of what needs none is whoever decided it; see _entry.
    owner = "" if action is Action.FALSE_POSITIVE and one.owner == by else one.owner
    ruling = Ruling(action, one.reason, owner, **({"expires": one.suppression.expires} if one.suppression else {}))
    try:
        # What has run out since is recorded too: it hides nothing.
        ruling = checked(ruling, at.date())
    except ConfigurationError as error:
        raise ConfigurationError(f"Nothing was imported. The entry of {one.id}: {error}") from error
    return Event(finding["fingerprint"], one.commit or finding["seen_in"], ruling, by, at, now, actor.name)


def _moment(one: Written, now: datetime) -> datetime:
    since = one.suppression.since if one.suppression else None
    at = one.at or (datetime.combine(since, time.min, UTC) if since else now)
    if at > now:
        raise ConfigurationError(
            f"Nothing was imported. The entry of {one.id} was decided at {at:%Y-%m-%d %H:%M} UTC, which is still to come; "
            "correct its `at` or `since`."
        )
    return at


def _is_same(event: Event, known: Event, at: datetime | None) -> bool:
    same = (event.fingerprint, event.ruling) == (known.fingerprint, known.ruling)
    return same and (at is None or at == known.at)
