"""The outbox of the requests' comments: what each is to say, written first and sent later, the newest text alone.

As with statuses (statuses.py), a sender leases a row, and takes what was wanted meanwhile next. Deliberately absent:
sending (infraaudit/forge/commenting.py), and what a comment says (infraaudit_domain/forge/comments.py).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from infraaudit_domain.backoff import backoff
from infraaudit_domain.forge.comments import digest_of
from resources.history import schema
from resources.history.forge.statuses import insert_into
from resources.history.store import History

LEASE = timedelta(minutes=5)
"""Longer than it takes to look for a comment, and to write it."""
_TABLE, _FAULTS = schema.request_comments, schema.forge_faults


@dataclass(frozen=True, slots=True)
class TakenComment:
    """A comment that is leased to this sender."""

    project: str
    number: int
    text: str
    digest: str
    mark: str
    comment_id: str
    """Empty where none of the forge's is known to be this one."""
    was_tried: bool
    """Whether the forge may have it already, under an id that nobody stored."""
    revision: int
    attempts: int


def want_comment(history: History, project: str, number: int, text: str) -> bool:
    """Want a request's comment to say this; returns whether that differs from what was wanted before."""
    now, digest = datetime.now(UTC), digest_of(text)
    row = {"project": project, "number": number, "text": text, "digest": digest, "mark": uuid4().hex}
    row |= {"comment_id": "", "is_tried": False, "revision": 1, "changed_at": now, "due_at": now, "attempts": 0}
    insert = insert_into(history, _TABLE)
    replaced = {name: insert.excluded[name] for name in ("text", "digest", "changed_at", "attempts")}
    due = sa.func.coalesce(_TABLE.c.due_at, sa.literal(now, _TABLE.c.due_at.type))
    stated = insert.on_conflict_do_update(
        index_elements=("project", "number"),
        set_=replaced | {"revision": _TABLE.c.revision + 1, "due_at": due},
        where=_TABLE.c.digest != digest,
    )
    with history.writing() as connection:
        return bool(connection.execute(stated, [row | {"sent_digest": "", "last_error": ""}]).rowcount)


def comments_due(history: History, now: datetime) -> list[str]:
    """The projects that have a comment to send, and whose forge may be asked."""
    query = sa.select(_TABLE.c.project).where(_TABLE.c.due_at <= now, ~_is_paused(now)).distinct()
    return [row["project"] for row in history.rows(query)]


def take_comment(history: History, project: str, now: datetime) -> TakenComment | None:
    """Take what has been due for longest, unless the forge is to be left alone."""
    due = (_TABLE.c.project == project) & (_TABLE.c.due_at <= now) & ~_is_paused(now)
    query = sa.select(_TABLE).where(due).order_by(_TABLE.c.due_at, _TABLE.c.number).limit(1)
    with history.writing() as connection:
        row = connection.execute(query.with_for_update(skip_locked=True)).mappings().first()
        if row is None:
            return None
        # Where we die before it is settled, the forge may have it.
        leased = {"due_at": now + LEASE, "is_tried": True}
        connection.execute(_TABLE.update().where(_is(project, row["number"])).values(leased))
    names = ("project", "number", "text", "digest", "mark", "comment_id", "revision", "attempts")
    return TakenComment(**{name: row[name] for name in names}, was_tried=row["is_tried"])


def settle_comment(history: History, taken: TakenComment, comment_id: str, now: datetime) -> None:
    """Record that a comment was sent, and which one of the forge's it is; a newer text is due now."""
    sent = {"sent_digest": taken.digest, "comment_id": comment_id, "last_error": "", "attempts": 0}
    _release(history, taken, sent, now)


def give_up_comment(history: History, taken: TakenComment, now: datetime, error: str) -> None:
    """Record that the forge will not take this text; the next one is tried again."""
    _release(history, taken, {"last_error": error}, now)


def postpone_comment(history: History, taken: TakenComment, now: datetime, error: str, is_counted: bool = True) -> None:
    """Return a comment that was not taken; it waits longer with every attempt that is counted."""
    attempts = taken.attempts + is_counted
    _write(history, taken, {"due_at": now + backoff(attempts), "attempts": attempts, "last_error": error})


def forget_comment(history: History, taken: TakenComment, now: datetime, error: str) -> None:
    """Return a comment that the forge has no more: somebody deleted it, and another takes its place."""
    anew = {"comment_id": "", "mark": uuid4().hex, "is_tried": False}
    _write(history, taken, anew | {"due_at": now, "attempts": taken.attempts + 1, "last_error": error})


def comment_row(history: History, project: str, number: int) -> dict[str, Any] | None:
    """The comment of a request, as it is stored."""
    found = history.rows(sa.select(_TABLE).where(_is(project, number)))
    return dict(found[0]) if found else None


def newest_comments(history: History, project: str, limit: int) -> list[dict[str, Any]]:
    """What the comments of a project's requests are to say, newest first, as rows beside those of statuses."""
    query = sa.select(_TABLE).where(_TABLE.c.project == project).order_by(_TABLE.c.changed_at.desc(), _TABLE.c.number)
    return [
        {"changed_at": row["changed_at"].isoformat(), "sha": "", "context": f"comment of request {row['number']}"}
        | {"state": "", "words": f"{len(row['text'])} characters", "sent": row["sent_digest"] == row["digest"]}
        | {"attempts": row["attempts"], "last_error": row["last_error"]}
        for row in history.rows(query.limit(limit))
    ]


def _release(history: History, taken: TakenComment, change: dict[str, object], now: datetime) -> None:
    newer = sa.case((_TABLE.c.revision == taken.revision, None), else_=sa.literal(now, _TABLE.c.due_at.type))
    _write(history, taken, change | {"due_at": newer})


def _write(history: History, taken: TakenComment, change: dict[str, object]) -> None:
    with history.writing() as connection:
        connection.execute(_TABLE.update().where(_is(taken.project, taken.number)).values(change))


def _is_paused(now: datetime) -> sa.ColumnElement[bool]:
    return sa.exists().where(_FAULTS.c.project == _TABLE.c.project, _FAULTS.c.until > now)


def _is(project: str, number: int) -> sa.ColumnElement[bool]:
    return (_TABLE.c.project == project) & (_TABLE.c.number == number)
