"""Pushes that forges sent by webhook, in the history: each is stored first, and processed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.pushes import PushState
from resources.history import schema
from resources.history.store import History


@dataclass(frozen=True, slots=True)
class Push:
    """One branch whose move a forge reported. Stored in the table deliveries, as pushes were once named."""

    id: str
    project: str
    forge: str
    branch: str
    before: str
    after: str
    received_at: datetime
    attempts: int = 0


_FIELDS = tuple(Push.__dataclass_fields__)


def store_pushes(history: History, pushes: Sequence[Push]) -> int:
    """Store pushes to be processed; returns the number of new ones."""
    table = schema.deliveries
    with history.writing() as connection:
        known = set(
            connection.execute(sa.select(table.c.id).where(table.c.id.in_([push.id for push in pushes]))).scalars()
        )
        rows = [
            {name: getattr(push, name) for name in _FIELDS} | {"state": PushState.WAITING.value, "reason": ""}
            for push in pushes
            if push.id not in known
        ]
        if rows:
            connection.execute(table.insert(), rows)
    return len(rows)


def is_stored(history: History, push_id: str) -> bool:
    """Whether a push is in the history."""
    return bool(_read(history, sa.select(schema.deliveries.c.id).where(schema.deliveries.c.id == push_id)))


def is_replayed(history: History, begin: str, since: datetime) -> bool:
    """Whether a push whose id begins so was received since then."""
    table = schema.deliveries
    same = sa.select(table.c.id).where(table.c.id.startswith(begin, autoescape=True), table.c.received_at >= since)
    return bool(_read(history, same.limit(1)))


def waiting_pushes(history: History, project: str, limit: int = 100) -> list[Push]:
    """A project's unprocessed pushes, oldest first."""
    table = schema.deliveries
    query = sa.select(table).where(table.c.state == PushState.WAITING.value, table.c.project == project)
    rows = _read(history, query.order_by(table.c.received_at, table.c.id).limit(limit))
    return [Push(**{name: row[name] for name in _FIELDS}) for row in rows]


def newest_pushes(history: History, project: str, limit: int = 50) -> list[tuple[Push, str, str]]:
    """The newest pushes of a project, newest first, each with its state and the reason for that state."""
    table = schema.deliveries
    query = sa.select(table).where(table.c.project == project).order_by(table.c.received_at.desc()).limit(limit)
    rows = _read(history, query)
    return [(Push(**{name: row[name] for name in _FIELDS}), row["state"], row["reason"]) for row in rows]


def finish_pushes(history: History, pushes: Sequence[Push], state: PushState, reason: str = "") -> None:
    """Record how pushes ended: done, ignored, failed, or still waiting, with the error of this attempt."""
    if not pushes:
        return
    table = schema.deliveries
    change: dict[str, Any] = {"state": state.value, "reason": reason, "attempts": table.c.attempts + 1}
    change |= {} if state is PushState.WAITING else {"done_at": datetime.now(UTC)}
    these = table.c.id.in_([push.id for push in pushes])
    with history.writing() as connection:
        connection.execute(table.update().where(these).values(change))


def abandon_pushes(history: History, projects: Sequence[str]) -> None:
    """Fail the waiting pushes of all projects but the given ones, which are those of the projects file."""
    table = schema.deliveries
    orphans = (table.c.state == PushState.WAITING.value) & table.c.project.not_in(projects)
    if _read(history, sa.select(table.c.id).where(orphans).limit(1)):
        change = {"state": PushState.FAILED.value, "reason": "the project is no longer in the projects file"}
        with history.writing() as connection:
            connection.execute(table.update().where(orphans).values(**change, done_at=datetime.now(UTC)))


def _read(history: History, query: sa.Select) -> Sequence[sa.RowMapping]:
    with history.reading() as connection:
        return connection.execute(query).mappings().all()
