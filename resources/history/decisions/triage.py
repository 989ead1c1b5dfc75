"""Triage as the history holds it: events that are only added. Deliberately absent: what stands (judging/triage.py)."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.errors import excerpt
from infraaudit_domain.judging.audit_log import Act, Actor
from infraaudit_domain.judging.triage import Action, Event, Ruling, counted_findings
from resources.history import schema
from resources.history.decisions.audit_log import log
from resources.history.store import History

_TABLE = schema.triage_events
_FACTS = ("check_id", "file_path", "resource", "severity")


def record_events(
    history: History,
    project: str,
    events: Sequence[Event],
    facts: Mapping[str, Mapping[str, Any]],
    actor: Actor,
    subject: str,
    act: Act = Act.TRIAGE,
) -> None:
    """Add events, and what was done to the audit log; all of it or nothing.

    ``facts`` describe each finding, by its id, as it was seen: check_id, file_path, resource, severity.
    """  # fmt: skip
    if not events:
        return
    rows = [_row(project, event, facts.get(event.fingerprint, {}), actor) for event in events]
    ruling = events[0].ruling
    said = ", ".join(filter(None, (ruling.reason, ruling.owner and f"owner {ruling.owner}")))
    many = counted_findings(len(events))
    details = many if act is Act.IMPORT else f"{ruling.action.value}, {many}: {said}"
    with history.writing() as connection:
        connection.execute(_TABLE.insert(), rows)
        log(connection, actor, act, project, subject, details)


def events_of(history: History, project: str) -> list[Event]:
    """Every event of a project, in the order in which they were recorded."""
    return [_event(row) for row in history.rows(_all(project))]


def event_rows(history: History, project: str) -> list[tuple[Event, sa.RowMapping]]:
    """Every event with its row, in the order in which they were recorded."""
    return [(_event(row), row) for row in history.rows(_all(project))]


def newest_about_counting(history: History, project: str) -> int:
    """The number of the last event of a project that may change which findings count: an assignment does not."""
    counts = _TABLE.c.action != Action.ASSIGN.value
    newest = sa.select(sa.func.max(_TABLE.c.id).label("id")).where(_TABLE.c.project == project, counts)
    return int(history.rows(newest)[0]["id"] or 0)


def _all(project: str) -> sa.Select:
    return sa.select(_TABLE).where(_TABLE.c.project == project).order_by(_TABLE.c.id)


def _row(project: str, event: Event, facts: Mapping[str, Any], actor: Actor) -> dict[str, Any]:
    return {
        "project": project,
        "fingerprint": event.fingerprint,
        "sha": event.sha,
        "action": event.ruling.action.value,
        "reason": excerpt(event.ruling.reason),
        "owner": excerpt(event.ruling.owner, 255),
        "expires": event.ruling.expires,
        "decided_by": excerpt(event.by, 255),
        "at": event.at,
        "imported_by": excerpt(event.imported_by, 255),
        "imported_at": event.imported,
        "via": actor.via.value,
        "address": excerpt(actor.address, 255),
    } | {name: str(facts.get(name) or "") for name in _FACTS}


def _event(row: sa.RowMapping) -> Event:
    ruling = Ruling(Action(row["action"]), row["reason"], row["owner"], row["expires"])
    imported = row["imported_at"], row["imported_by"]
    return Event(row["fingerprint"], row["sha"], ruling, row["decided_by"], row["at"], *imported)
