"""Webhook deliveries in the history: stored before they are answered, worked off later, each once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from resources.history import schema
from resources.history.database import translated
from resources.history.store import History


@dataclass(frozen=True, slots=True)
class Delivery:
    """One branch that a forge said had moved."""

    id: str
    project: str
    forge: str
    branch: str
    before: str
    after: str
    received_at: datetime
    attempts: int = 0


def store_deliveries(history: History, deliveries: Sequence[Delivery], ignored: str = "") -> int:
    """Store deliveries durably; returns how many were not there yet. One that is ignored is never worked off."""
    table = schema.deliveries
    with translated(history.engine), history.engine.begin() as connection:
        known = set(
            connection.execute(sa.select(table.c.id).where(table.c.id.in_([d.id for d in deliveries]))).scalars()
        )
        rows = [
            {name: getattr(d, name) for name in Delivery.__dataclass_fields__}
            | {"state": "ignored" if ignored else "waiting", "reason": ignored}
            for d in deliveries
            if d.id not in known
        ]
        if rows:
            connection.execute(table.insert(), rows)
    return len(rows)


def waiting_deliveries(history: History, limit: int = 100) -> list[Delivery]:
    """Deliveries to be worked off, oldest first."""
    table = schema.deliveries
    query = sa.select(table).where(table.c.state == "waiting").order_by(table.c.received_at, table.c.id).limit(limit)
    with translated(history.engine), history.engine.connect().execution_options(read_only=True) as connection:
        rows = connection.execute(query).mappings().all()
    return [Delivery(**{name: row[name] for name in Delivery.__dataclass_fields__}) for row in rows]


def finish_delivery(history: History, delivery_id: str, state: str, reason: str = "") -> None:
    """Say how a delivery ended: done, ignored, failed, or still waiting with what went wrong this time."""
    table = schema.deliveries
    change: dict[str, Any] = {"state": state, "reason": reason, "attempts": table.c.attempts + 1}
    change |= {} if state == "waiting" else {"done_at": datetime.now(UTC)}
    with translated(history.engine), history.engine.begin() as connection:
        connection.execute(table.update().where(table.c.id == delivery_id).values(change))
