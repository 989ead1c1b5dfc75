"""Webhook deliveries in the history: stored before they are answered, processed later, each once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.pushes import DeliveryState
from resources.history import schema
from resources.history.store import History


@dataclass(frozen=True, slots=True)
class Delivery:
    """One branch whose move a forge reported."""

    id: str
    project: str
    forge: str
    branch: str
    before: str
    after: str
    received_at: datetime
    attempts: int = 0


_FIELDS = tuple(Delivery.__dataclass_fields__)


def store_deliveries(history: History, deliveries: Sequence[Delivery]) -> int:
    """Store deliveries to be processed; returns the number of new ones."""
    table = schema.deliveries
    with history.writing() as connection:
        known = set(
            connection.execute(sa.select(table.c.id).where(table.c.id.in_([d.id for d in deliveries]))).scalars()
        )
        rows = [
            {name: getattr(d, name) for name in _FIELDS} | {"state": DeliveryState.WAITING.value, "reason": ""}
            for d in deliveries
            if d.id not in known
        ]
        if rows:
            connection.execute(table.insert(), rows)
    return len(rows)


def is_stored(history: History, delivery_id: str) -> bool:
    """Whether a delivery is in the history."""
    return bool(_read(history, sa.select(schema.deliveries.c.id).where(schema.deliveries.c.id == delivery_id)))


def waiting_deliveries(history: History, project: str, limit: int = 100) -> list[Delivery]:
    """A project's deliveries to be processed, oldest first."""
    table = schema.deliveries
    query = sa.select(table).where(table.c.state == DeliveryState.WAITING.value, table.c.project == project)
    rows = _read(history, query.order_by(table.c.received_at, table.c.id).limit(limit))
    return [Delivery(**{name: row[name] for name in _FIELDS}) for row in rows]


def newest_deliveries(history: History, project: str, limit: int = 50) -> list[tuple[Delivery, str, str]]:
    """The newest deliveries of a project, newest first, each with its state and the reason for it."""
    table = schema.deliveries
    query = sa.select(table).where(table.c.project == project).order_by(table.c.received_at.desc()).limit(limit)
    rows = _read(history, query)
    return [(Delivery(**{name: row[name] for name in _FIELDS}), row["state"], row["reason"]) for row in rows]


def finish_deliveries(history: History, deliveries: Sequence[Delivery], state: DeliveryState, reason: str = "") -> None:
    """Record how deliveries ended: done, ignored, failed, or still waiting, with the error of this attempt."""
    if not deliveries:
        return
    table = schema.deliveries
    change: dict[str, Any] = {"state": state.value, "reason": reason, "attempts": table.c.attempts + 1}
    change |= {} if state is DeliveryState.WAITING else {"done_at": datetime.now(UTC)}
    these = table.c.id.in_([delivery.id for delivery in deliveries])
    with history.writing() as connection:
        connection.execute(table.update().where(these).values(change))


def abandon_deliveries(history: History, projects: Sequence[str]) -> None:
    """Fail the waiting deliveries of all projects but the given ones, which are those of the projects file."""
    table = schema.deliveries
    orphans = (table.c.state == DeliveryState.WAITING.value) & table.c.project.not_in(projects)
    if _read(history, sa.select(table.c.id).where(orphans).limit(1)):
        change = {"state": DeliveryState.FAILED.value, "reason": "the project is no longer in the projects file"}
        with history.writing() as connection:
            connection.execute(table.update().where(orphans).values(**change, done_at=datetime.now(UTC)))


def _read(history: History, query: sa.Select) -> Sequence[sa.RowMapping]:
    with history.reading() as connection:
        return connection.execute(query).mappings().all()
