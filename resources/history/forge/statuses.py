"""The outbox of forges: what each is to show of a commit, written first and sent later, the newest of a context alone.

A row holds what is wanted and what was last sent. A sender leases one for half a minute; where it dies, the status is sent
again, which changes nothing on a forge. Deliberately absent: what is wanted before anything is known (expected.py),
sending (infraaudit/forge), and what a status says (infraaudit_domain/forge/statuses.py).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from infraaudit_domain.backoff import backoff
from infraaudit_domain.forge.statuses import CommitStatus, StatusState
from resources.history import schema
from resources.history.store import History

LEASE = timedelta(seconds=30)
"""Longer than a forge's answer may take."""
MOST_WAITING = 1000
"""Of a project: of a forge that is away for long, the newest are what people look at."""
_KEY = ("project", "sha", "context")
_TABLE, _FAULTS = schema.commit_statuses, schema.forge_faults


@dataclass(frozen=True, slots=True)
class TakenStatus:
    """A status that is leased to this sender."""

    project: str
    sha: str
    status: CommitStatus
    revision: int
    attempts: int
    is_sent: bool
    """Whether it is what the forge was last sent."""


def want_statuses(history: History, project: str, sha: str, wanted: Iterable[CommitStatus]) -> int:
    """Want these statuses of a commit; returns how many differ from what was wanted before.

    One that is not sent yet is replaced. One that waits, for its forge or for its sender, goes on waiting.
    """
    before = {one.context: one for one in statuses_of_commit(history, project, sha)}
    differing = [one for one in wanted if before.get(one.context) != one]
    if not differing:
        return 0
    insert = insert_into(history, _TABLE)
    now = sa.literal(datetime.now(UTC), _TABLE.c.due_at.type)
    replaced = {name: insert.excluded[name] for name in ("state", "words", "changed_at", "attempts", "last_error")}
    replaced |= {"revision": _TABLE.c.revision + 1, "due_at": sa.func.coalesce(_TABLE.c.due_at, now)}
    with history.writing() as connection:
        connection.execute(
            insert.on_conflict_do_update(index_elements=_KEY, set_=replaced),
            in_order(first_row(project, sha, one) for one in differing),
        )
    return len(differing)


def statuses_of_commit(history: History, project: str, sha: str) -> list[CommitStatus]:
    """What is wanted of a commit, sent or not."""
    query = sa.select(_TABLE).where(_TABLE.c.project == project, _TABLE.c.sha == sha).order_by(_TABLE.c.context)
    return [_status(row) for row in history.rows(query)]


def status_row(history: History, project: str, sha: str, context: str) -> dict[str, Any] | None:
    """One status that is wanted, with when it came to be so."""
    found = history.rows(sa.select(_TABLE).where(*_is({"project": project, "sha": sha, "context": context})))
    return dict(found[0]) if found else None


def commits_shown(history: History, project: str, sha: str, context: str) -> list[str]:
    """The commits that have a status of a context and whose SHAs begin so."""
    mine = (_TABLE.c.project == project) & (_TABLE.c.context == context) & _TABLE.c.sha.startswith(sha)
    return [row["sha"] for row in history.rows(sa.select(_TABLE.c.sha).where(mine))]


def newest_statuses(history: History, project: str, limit: int) -> list[dict[str, Any]]:
    """What a project's forge is to show, newest first, as rows for people."""
    query = sa.select(_TABLE).where(_TABLE.c.project == project).order_by(_TABLE.c.changed_at.desc(), _TABLE.c.context)
    return [
        {name: row[name] for name in ("sha", "context", "state", "words", "attempts", "last_error")}
        | {"changed_at": row["changed_at"].isoformat()}
        | {"sent": (row["sent_state"], row["sent_words"]) == (row["state"], row["words"])}
        for row in history.rows(query.limit(limit))
    ]


def projects_due(history: History, now: datetime) -> list[str]:
    """The projects that have something to send, and whose forge may be asked."""
    paused = sa.exists().where(_FAULTS.c.project == _TABLE.c.project, _FAULTS.c.until > now)
    query = sa.select(_TABLE.c.project).where(_TABLE.c.due_at <= now, ~paused).distinct()
    return [row["project"] for row in history.rows(query)]


def take_status(history: History, project: str, now: datetime) -> TakenStatus | None:
    """Take what has been due for longest; no other sender gets it while the lease lasts.

    One that was postponed comes after all that were not, so that it holds up none of them.
    """
    due = (_TABLE.c.project == project) & (_TABLE.c.due_at <= now)
    order = (_TABLE.c.last_error != "", _TABLE.c.due_at, _TABLE.c.changed_at, _TABLE.c.context)
    query = sa.select(_TABLE).where(due).order_by(*order).limit(1)
    with history.writing() as connection:
        row = connection.execute(query.with_for_update(skip_locked=True)).mappings().first()
        if row is None:
            return None
        status = _status(row)
        is_sent = (row["sent_state"], row["sent_words"]) == (status.state.value, status.words)
        # Where we die before it is settled, nobody knows what the forge shows.
        forgotten = {} if is_sent else {"sent_state": "", "sent_words": ""}
        connection.execute(_TABLE.update().where(*_is(row)).values(forgotten | {"due_at": now + LEASE}))
    return TakenStatus(project, row["sha"], status, row["revision"], row["attempts"], is_sent)


def settle_status(history: History, taken: TakenStatus, now: datetime) -> None:
    """Record that a status was sent; a newer one that was wanted meanwhile is due now."""
    sent = {"sent_state": taken.status.state.value, "sent_words": taken.status.words, "last_error": ""}
    _release(history, taken, sent | {"attempts": 0}, now)


def give_up_status(history: History, taken: TakenStatus, now: datetime, error: str) -> None:
    """Record that the forge will never take a status."""
    _release(history, taken, {"last_error": error}, now)


def postpone_status(history: History, taken: TakenStatus, now: datetime, error: str, is_counted: bool = True) -> None:
    """Return a status that was not taken; it waits longer with every attempt that is counted."""
    attempts = taken.attempts + is_counted
    with history.writing() as connection:
        change = {"due_at": now + backoff(attempts), "attempts": attempts, "last_error": error}
        connection.execute(_TABLE.update().where(*_is(_key(taken))).values(change))


def drop_stale(history: History, projects: Collection[str], before: datetime) -> None:
    """Drop what has waited since before a time: of a forge that was away, or switched off, for so long."""
    stale = (_TABLE.c.due_at.is_not(None)) & (_TABLE.c.changed_at < before) & _TABLE.c.project.in_(projects)
    if history.rows(sa.select(_TABLE.c.sha).where(stale).limit(1)):
        with history.writing() as connection:
            connection.execute(_TABLE.update().where(stale).values(due_at=None, last_error="waited too long"))


def drop_oldest(history: History, project: str, most: int = MOST_WAITING) -> int:
    """Drop the oldest statuses that wait where there are too many; returns how many."""
    waiting = (_TABLE.c.project == project) & _TABLE.c.due_at.is_not(None)
    over = sa.select(_TABLE.c.sha, _TABLE.c.context).where(waiting).order_by(_TABLE.c.changed_at.desc()).offset(most)
    rows = history.rows(over.limit(1000))
    if rows:
        with history.writing() as connection:
            for row in rows:
                key = {"project": project, "sha": row["sha"], "context": row["context"]}
                connection.execute(_TABLE.update().where(*_is(key)).values(due_at=None, last_error="too many waited"))
    return len(rows)


def _release(history: History, taken: TakenStatus, change: dict[str, object], now: datetime) -> None:
    newer = sa.case((_TABLE.c.revision == taken.revision, None), else_=sa.literal(now, _TABLE.c.due_at.type))
    with history.writing() as connection:
        connection.execute(_TABLE.update().where(*_is(_key(taken))).values(change | {"due_at": newer}))


def insert_into(history: History, table: sa.Table) -> Any:
    """An INSERT that knows of conflicts, for this database."""
    return (postgresql if history.dialect == "postgresql" else sqlite).insert(table)


def in_order(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order in which every writer locks them: two that cross would end in a deadlock."""
    return sorted(rows, key=lambda row: (row["sha"], row["context"]))


def first_row(project: str, sha: str, wanted: CommitStatus) -> dict[str, Any]:
    """The row of a status that was never wanted before."""
    now = datetime.now(UTC)
    key = {"project": project, "sha": sha, "context": wanted.context}
    what = {"state": wanted.state.value, "words": wanted.words, "revision": 1, "changed_at": now, "due_at": now}
    return key | what | {"attempts": 0, "sent_state": "", "sent_words": "", "last_error": ""}


def _key(taken: TakenStatus) -> dict[str, str]:
    return {"project": taken.project, "sha": taken.sha, "context": taken.status.context}


def _is(key: dict[str, str] | sa.RowMapping) -> Sequence[sa.ColumnElement[bool]]:
    return [_TABLE.c[name] == key[name] for name in _KEY]


def _status(row: sa.RowMapping) -> CommitStatus:
    return CommitStatus(row["context"], StatusState(row["state"]), row["words"])
