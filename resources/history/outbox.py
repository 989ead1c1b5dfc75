"""The outbox: notices are written here first and sent later, each notice once to each address.

A sender leases a notice for a minute; where the sender dies, the lease expires. One that nobody is configured to
receive is undelivered, neither sent nor waiting. Deliberately absent: sending.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from infraaudit_domain.backoff import backoff
from infraaudit_domain.reporting.notices import URGENCIES, Notice
from resources.history import schema
from resources.history.store import History

LEASE = timedelta(seconds=60)
"""Longer than sending a notice to all its addresses takes, time-outs included: take only what is sent at once."""
UNHEARD_FOR = timedelta(days=1)
"""How long an undelivered notice is still news to an address that is configured meanwhile."""
_QUERY = 400
_TABLE = schema.notices
_WAITING = _TABLE.c.sent_at.is_(None) & _TABLE.c.undelivered_at.is_(None)


@dataclass(frozen=True, slots=True)
class TakenNotice:
    """A notice that is leased to this sender."""

    notice: Notice
    attempts: int
    accepted_by: frozenset[str]
    written_at: datetime


@dataclass(frozen=True, slots=True)
class NoticeCounts:
    """The notices of one project."""

    sent: int = 0
    waiting: int = 0
    undelivered: int = 0
    oldest: datetime | None = None
    """When the oldest was written that waits for a receiver to answer, not for the time of its digest."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be recorded of a notice."""

    key: str
    values: Mapping[str, object]


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


def keys_titled(history: History, keys: Collection[str], ending: str) -> set[str]:
    """Those of the given keys whose notice has a title with some ending."""
    found = known_keys(history, keys)
    query = sa.select(_TABLE.c.key, _TABLE.c.title)
    batches = (sorted(found)[start : start + _QUERY] for start in range(0, len(found), _QUERY))
    rows = (row for some in batches for row in history.rows(query.where(_TABLE.c.key.in_(some))))
    return {row["key"] for row in rows if row["title"].endswith(ending)}


def take_notices(history: History, now: datetime, limit: int) -> list[TakenNotice]:
    """Take what is due, the most urgent and oldest first; no other sender gets it while the lease lasts."""
    return _take(history, ~_TABLE.c.is_held, now, limit)


def take_held_notices(history: History, now: datetime, limit: int) -> list[TakenNotice]:
    """Take those whose time to be sent with others has come, in the same way."""
    return _take(history, _TABLE.c.is_held, now, limit)


def _take(history: History, which: sa.ColumnElement[bool], now: datetime, limit: int) -> list[TakenNotice]:
    due = _WAITING & which & (_TABLE.c.due_at <= now)
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


def record(history: History, changes: Iterable[Change]) -> None:
    """Record what became of notices that were sent together: all of it, or nothing where the sender is killed."""
    with history.writing() as connection:
        for change in changes:
            connection.execute(_TABLE.update().where(_TABLE.c.key == change.key).values(dict(change.values)))


def settled(taken: TakenNotice, now: datetime, accepted_by: Collection[str], fault: str | None) -> Change:
    """A notice was sent; with a fault it is due again later, for the addresses that did not accept it."""
    attempts = taken.attempts + 1
    change = {"attempts": attempts, "last_error": fault or "", "accepted_by": sorted(accepted_by)}
    return Change(taken.notice.key, change | ({"due_at": now + backoff(attempts)} if fault else {"sent_at": now}))


def postponed(taken: TakenNotice, until: datetime) -> Change:
    """A notice was not tried."""
    return Change(taken.notice.key, {"due_at": until})


def held(taken: TakenNotice, accepted_by: Collection[str], until: datetime) -> Change:
    """A notice, which some may have got already, is kept for addresses that collect theirs."""
    change = {"is_held": True, "accepted_by": sorted(accepted_by), "due_at": until, "last_error": ""}
    return Change(taken.notice.key, change)


def undelivered(taken: TakenNotice, now: datetime) -> Change:
    """Nobody is configured to receive a notice; it does not wait any more, nor for a digest."""
    error = "nobody is configured to receive it"
    return Change(taken.notice.key, {"undelivered_at": now, "is_held": False, "last_error": error})


def undelivered_projects(history: History, since: datetime) -> set[str]:
    """The projects with an undelivered notice written ``since``."""
    query = sa.select(_TABLE.c.project).where(*_undelivered(since)).distinct()
    return {row["project"] for row in history.rows(query)}


def deliver_again(history: History, project: str, since: datetime, is_heard: Callable[[Notice], bool]) -> int:
    """Have a project's undelivered notices written ``since`` wait again where somebody receives them by now; returns
    the number."""
    query = sa.select(_TABLE).where(_TABLE.c.project == project, *_undelivered(since))
    heard = [notice for row in history.rows(query) if is_heard(notice := _taken(row).notice)]
    again = {"undelivered_at": None, "due_at": datetime.now(UTC), "last_error": ""}
    if heard:
        record(history, (Change(notice.key, again) for notice in heard))
    return len(heard)


def _undelivered(since: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return _TABLE.c.undelivered_at.is_not(None), _TABLE.c.created_at >= since


def notices_by_project(history: History, projects: Iterable[str], since: datetime) -> dict[str, NoticeCounts]:
    """What became of the notices of some projects, and of every other that has one; undelivered are those ``since``."""
    c, is_new = _TABLE.c, _TABLE.c.created_at >= since
    query = sa.select(
        c.project,
        sa.func.count(c.sent_at).label("sent"),
        sa.func.count(sa.case((_WAITING, c.key))).label("waiting"),
        sa.func.count(sa.case((c.undelivered_at.is_not(None) & is_new, c.key))).label("undelivered"),
        sa.func.min(sa.case((_WAITING & (~c.is_held | (c.last_error != "")), c.created_at))).label("oldest"),
    ).group_by(c.project)
    counted = {row["project"]: row for row in history.rows(query)}
    found = {project: NoticeCounts(**{k: row[k] for k in NoticeCounts.__slots__}) for project, row in counted.items()}
    return {project: NoticeCounts() for project in projects} | found


def waiting_notices(history: History) -> Sequence[Notice]:
    """What has not been sent yet to everyone who is to receive it, oldest first."""
    query = sa.select(_TABLE).where(_WAITING).order_by(_TABLE.c.created_at, _TABLE.c.key)
    return [_taken(row).notice for row in history.rows(query)]


def _taken(row: sa.RowMapping) -> TakenNotice:
    notice = Notice(**{name: row[name] for name in Notice.__dataclass_fields__} | {"owners": tuple(row["owners"])})
    return TakenNotice(notice, row["attempts"], frozenset(row["accepted_by"]), row["created_at"])
