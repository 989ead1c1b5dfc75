"""The outbox: notices are written here first and sent later, each notice once to each address.

A sender leases a notice for a minute; where the sender dies, the lease expires. Deliberately absent: sending.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from infraaudit_domain.reporting.notices import URGENCIES, Notice
from resources.history import schema
from resources.history.store import History

LEASE = timedelta(seconds=60)
"""Longer than sending a notice to all its addresses takes, time-outs included: take only what is sent at once."""
_LONGEST_WAIT = 300.0
_QUERY = 400
_TABLE = schema.notices


@dataclass(frozen=True, slots=True)
class TakenNotice:
    """A notice that is leased to this sender."""

    notice: Notice
    attempts: int
    accepted_by: frozenset[str]


def write_notices(history: History, notices: Iterable[Notice]) -> int:
    """Put notices into the outbox, without those whose key was ever there. Returns the number of new ones."""
    given = {notice.key: notice for notice in notices}
    known = known_keys(history, given)
    fresh = [notice for key, notice in given.items() if key not in known]
    if not fresh:
        return 0
    now = datetime.now(UTC)
    waiting = {"created_at": now, "due_at": now, "attempts": 0, "last_error": "", "accepted_by": []}
    dialect = postgresql if history.dialect == "postgresql" else sqlite
    # Another process may have written the same one meanwhile: the first one counts.
    insert = dialect.insert(_TABLE).on_conflict_do_nothing()
    with history.writing() as connection:
        return sum(connection.execute(insert, asdict(notice) | waiting).rowcount for notice in fresh)


def known_keys(history: History, keys: Collection[str]) -> set[str]:
    """Those of the given keys that were ever written."""
    some, found = sorted(keys), set[str]()
    for start in range(0, len(some), _QUERY):
        query = sa.select(_TABLE.c.key).where(_TABLE.c.key.in_(some[start : start + _QUERY]))
        found.update(str(row["key"]) for row in history.rows(query))
    return found


def take_notices(history: History, now: datetime, limit: int) -> list[TakenNotice]:
    """Take what is due, the most urgent and oldest first; no other sender gets it while the lease lasts."""
    due = (_TABLE.c.sent_at.is_(None)) & (_TABLE.c.due_at <= now)
    # Reading first keeps an idle sender from locking the database every few seconds.
    if not history.rows(sa.select(_TABLE.c.key).where(due).limit(1)):
        return []
    rank = sa.case({urgency: index for index, urgency in enumerate(reversed(URGENCIES))}, value=_TABLE.c.urgency)
    query = sa.select(_TABLE).where(due).order_by(rank, _TABLE.c.created_at, _TABLE.c.key).limit(limit)
    with history.writing() as connection:
        rows = connection.execute(query.with_for_update(skip_locked=True)).mappings().all()
        taken = _TABLE.update().where(_TABLE.c.key.in_([row["key"] for row in rows]))
        connection.execute(taken.values(due_at=now + LEASE))
    return [_taken(row) for row in rows]


def settle_notice(
    history: History, taken: TakenNotice, now: datetime, accepted_by: Collection[str], fault: str | None
) -> None:
    """Record that a notice was sent; with a fault it is due again later, for the addresses that did not accept it."""
    attempts = taken.attempts + 1
    wait = timedelta(seconds=min(_LONGEST_WAIT, 2.0 ** min(attempts, 9)))
    change = {"attempts": attempts, "last_error": fault or "", "accepted_by": sorted(accepted_by)}
    _change(history, taken, change | ({"due_at": now + wait} if fault else {"sent_at": now}))


def postpone_notice(history: History, taken: TakenNotice, until: datetime) -> None:
    """Return a notice that was not tried."""
    _change(history, taken, {"due_at": until})


def waiting_notices(history: History) -> Sequence[Notice]:
    """What has not been sent to everyone yet, oldest first."""
    query = sa.select(_TABLE).where(_TABLE.c.sent_at.is_(None)).order_by(_TABLE.c.created_at, _TABLE.c.key)
    return [_taken(row).notice for row in history.rows(query)]


def _change(history: History, taken: TakenNotice, change: dict[str, object]) -> None:
    with history.writing() as connection:
        connection.execute(_TABLE.update().where(_TABLE.c.key == taken.notice.key).values(change))


def _taken(row: sa.RowMapping) -> TakenNotice:
    notice = Notice(**{name: row[name] for name in Notice.__dataclass_fields__})
    return TakenNotice(notice, row["attempts"], frozenset(row["accepted_by"]))
