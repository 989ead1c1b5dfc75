"""Events of branches other than new commits, and which commits had a run."""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from infraaudit_domain.triggers import REQUESTED, GitEvent
from resources.history import schema
from resources.history.database import upsert
from resources.history.store import History


def record_git_events(history: History, project: str, events: Sequence[GitEvent]) -> None:
    """Store events; one that is seen again, because a tick was repeated, is stored once."""
    now = datetime.now(UTC)
    rows = [
        {
            "project": project,
            "kind": event.kind,
            "branch": event.branch[:255],
            "before": event.before[:1000],
            "after": event.after,
            "reason": event.reason,
            "seen_at": now,
        }
        for event in events
    ]
    if rows:
        with history.writing() as connection:
            upsert(connection, schema.git_events, rows)


def git_events(history: History, project: str, limit: int = 50) -> list[tuple[datetime, GitEvent]]:
    """The newest events of a project, newest first."""
    table = schema.git_events
    query = sa.select(table).where(table.c.project == project).order_by(table.c.seen_at.desc()).limit(limit)
    with history.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return [(row["seen_at"], GitEvent(**{name: row[name] for name in GitEvent.__dataclass_fields__})) for row in rows]


def recorded_commits(history: History, project: str) -> list[str]:
    """Every commit of a project that a run recorded, without heads of requests: those may be on no branch yet."""
    table = schema.commits
    query = sa.select(table.c.sha).where(table.c.project == project, table.c.sha.not_in(_requested(project)))
    with history.reading() as connection:
        return list(connection.execute(query).scalars())


def requested_heads(history: History, project: str) -> set[str]:
    """The heads of requests that had a run."""
    return {row["after"] for row in history.rows(_requested(project))}


def is_run_of_request(run_id: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether a run was for the head of a request."""
    table = schema.git_events
    return run_id.in_(sa.select(table.c.before).where(table.c.kind == REQUESTED))


def _requested(project: str) -> sa.Select[tuple[str]]:
    table = schema.git_events
    return sa.select(table.c.after).where(table.c.project == project, table.c.kind == REQUESTED)
