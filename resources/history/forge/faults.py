"""The forges that take nothing: why, since when, and until when each is left alone.

Deliberately absent: what waits for them (statuses.py).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from infraaudit_domain.backoff import backoff
from resources.history import schema
from resources.history.database import upsert
from resources.history.store import History

_FAULTS, _STATUSES, _COMMENTS = schema.forge_faults, schema.commit_statuses, schema.request_comments


@dataclass(frozen=True, slots=True)
class ForgeFault:
    """Why a project's forge takes nothing."""

    project: str
    fault: str
    since: datetime
    until: datetime
    attempts: int


def note_fault(history: History, project: str, fault: str, now: datetime, pause: float | None) -> bool:
    """Record why a project's forge takes nothing; returns whether that is news.

    Without a pause that the forge asks for, it is left alone for longer each time, up to five minutes.
    """
    known = faults(history).get(project)
    attempts = known.attempts + 1 if known else 1
    wait = backoff(attempts) if pause is None else timedelta(seconds=pause)
    row = {"project": project, "fault": fault, "until": now + wait, "attempts": attempts}
    with history.writing() as connection:
        upsert(connection, _FAULTS, [row | {"since": known.since if known else now}])
    return known is None or known.fault != fault


def clear_fault(history: History, project: str) -> bool:
    """Record that a project's forge takes statuses; returns whether that is news."""
    if project not in faults(history):
        return False
    with history.writing() as connection:
        return bool(connection.execute(_FAULTS.delete().where(_FAULTS.c.project == project)).rowcount)


def forget_other_forges(history: History, projects: Collection[str]) -> None:
    """Drop the faults of projects that are none of these, and what waits for their forges: they have none any more."""
    with history.writing() as connection:
        connection.execute(_FAULTS.delete().where(_FAULTS.c.project.not_in(projects)))
        waiting = _STATUSES.c.due_at.is_not(None) & _STATUSES.c.project.not_in(projects)
        connection.execute(_STATUSES.update().where(waiting).values(due_at=None, last_error="its project has no forge"))
        unsaid = _COMMENTS.c.due_at.is_not(None) & _COMMENTS.c.project.not_in(projects)
        connection.execute(_COMMENTS.update().where(unsaid).values(due_at=None, last_error="its project has no forge"))


def faults(history: History) -> dict[str, ForgeFault]:
    """The projects whose forge takes nothing, and why."""
    rows = history.rows(sa.select(_FAULTS).order_by(_FAULTS.c.project))
    return {row["project"]: ForgeFault(**row) for row in rows}
