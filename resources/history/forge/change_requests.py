"""Pull and merge requests: what their forge last said of them, and what was done with their heads.

Deliberately absent: what may be done with one (infraaudit_domain/forge/change_requests.py).
"""

from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.errors import NotThereError, excerpt
from infraaudit_domain.forge.change_requests import ChangeRequest, RequestState, is_newer
from infraaudit_domain.forge.request_verdicts import RequestResult, RequestVerdict
from resources.history import schema
from resources.history.forge.statuses import insert_into
from resources.history.store import History

_TABLE = schema.change_requests
_OURS = ("allowed_head", "allowed_by", "started_head", "fault", "judged_head", "judged_target", "base",
         "verdict", "reason")  # fmt: skip
_LONGEST = 1000
_SHORTEST = 12
"""Digits of a SHA that Bitbucket Cloud sends."""
MOST_AT_ONCE = 500
"""Requests of a project in one look; the oldest of more have their turn once newer ones are judged."""


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """A request, and what was done with it."""

    request: ChangeRequest
    allowed_head: str
    """The head of a fork that a member let in."""
    started_head: str
    fault: str
    """Why its head cannot be read."""
    found: RequestVerdict | None
    """What was found of this head against this target branch; None where it is not judged."""


def store_request(history: History, project: str, seen: ChangeRequest) -> bool:
    """Store what a forge says of a request; returns whether it is newer than what was known."""
    row = _row(project, seen)
    with history.writing() as connection:
        new = insert_into(history, _TABLE).on_conflict_do_nothing()
        if connection.execute(new, [row | dict.fromkeys(_OURS, "")]).rowcount == 1:
            return True
        # Locked: of two deliveries at a time, the older one may be the later to be written.
        found = connection.execute(sa.select(_TABLE).where(_is(project, seen.number)).with_for_update())
        if not is_newer(seen, _known(found.mappings().one()).request):
            return False
        connection.execute(_TABLE.update().where(_is(project, seen.number)).values(row))
    return True


def unjudged_requests(history: History, project: str) -> list[KnownRequest]:
    """The open requests of a project that are to be judged, the newest first: of forks, those that a member let in.

    So that strangers cannot crowd out members, however many requests they open.
    """
    mine = (_TABLE.c.project == project) & (_TABLE.c.state == RequestState.OPEN.value)
    judged = (_TABLE.c.verdict != "") & (_TABLE.c.judged_head == _TABLE.c.head)
    judged &= _TABLE.c.judged_target == _TABLE.c.target_branch
    waits = _TABLE.c.is_fork & (_TABLE.c.allowed_head != _TABLE.c.head)
    query = sa.select(_TABLE).where(mine, ~judged, ~waits)
    query = query.order_by(_TABLE.c.changed_at.desc(), _TABLE.c.number.desc())
    return [_known(row) for row in history.rows(query.limit(MOST_AT_ONCE))]


def requests_of_head(history: History, project: str, sha: str) -> list[KnownRequest]:
    """The open requests of a project whose head a commit is, also where the forge shortened it."""
    heads = [sha[:length] for length in range(_SHORTEST, len(sha) + 1)]
    mine = (_TABLE.c.project == project) & (_TABLE.c.state == RequestState.OPEN.value) & _TABLE.c.head.in_(heads)
    return [_known(row) for row in history.rows(sa.select(_TABLE).where(mine).order_by(_TABLE.c.number))]


def known_request(history: History, project: str, number: int) -> KnownRequest:
    """One request of a project. Raises NotThereError."""
    found = history.rows(sa.select(_TABLE).where(_is(project, number)))
    if not found:
        raise NotThereError(f"{project} has no request {number}; `infraaudit requests` lists those that are known.")
    return _known(found[0])


def allow_head(history: History, project: str, number: int, head: str, by: str) -> bool:
    """Let a fork's head be read; returns whether it is still the head of its request, and that is open."""
    still = _is(project, number) & (_TABLE.c.head == head) & (_TABLE.c.state == RequestState.OPEN.value)
    with history.writing() as connection:
        change = _TABLE.update().where(still).values(allowed_head=head, allowed_by=excerpt(by, 255))
        return bool(connection.execute(change).rowcount)


def note_started(history: History, project: str, number: int, head: str, fault: str = "") -> None:
    """Record that a run of a head was asked for; or with ``fault``, why that cannot be, so that it is tried again."""
    done = {"fault": excerpt(fault, _LONGEST)} if fault else {"fault": "", "started_head": head}
    with history.writing() as connection:
        connection.execute(_TABLE.update().where(_is(project, number)).values(done))


def note_stranger(history: History, project: str, number: int, head: str) -> None:
    """Record that a head is on no branch of ours, whatever its forge says: it waits like a fork's."""
    with history.writing() as connection:
        still = _is(project, number) & (_TABLE.c.head == head)
        connection.execute(_TABLE.update().where(still).values(is_fork=True))


def record_verdict(history: History, project: str, request: ChangeRequest, found: RequestVerdict) -> bool:
    """Record what was found of a request; returns whether its head and its target branch are still the same."""
    still = _is(project, request.number) & (_TABLE.c.head == request.head)
    still &= _TABLE.c.target_branch == request.target_branch
    row = asdict(found) | {"verdict": found.verdict.value, "reason": excerpt(found.reason, _LONGEST)}
    with history.writing() as connection:
        judged = {"judged_head": request.head, "judged_target": request.target_branch}
        return bool(connection.execute(_TABLE.update().where(still).values(row | judged)).rowcount)


def request_rows(history: History, project: str, state: str = "", limit: int | None = None) -> list[dict[str, Any]]:
    """The requests of a project as rows for people, newest first; what was found of an earlier head is not shown."""
    mine = _TABLE.c.project == project
    query = sa.select(_TABLE).where(mine & (_TABLE.c.state == state) if state else mine)
    newest_first = query.order_by(_TABLE.c.changed_at.desc(), _TABLE.c.number.desc())
    return [_shown(row) for row in history.rows(newest_first.limit(limit))]


def _shown(row: sa.RowMapping) -> dict[str, Any]:
    names = ("number", "title", "author", "state", "head", "source_repository", "source_branch", "target_branch",
             "is_fork", "allowed_by")  # fmt: skip
    shown = {name: row[name] for name in names} | {"changed_at": row["changed_at"].isoformat()}
    found = ("base", "verdict", "reason", "new", "fixed", "not_live")
    if _is_judged(row):
        return shown | {name: row[name] for name in found}
    verdict = "waits" if row["is_fork"] and row["allowed_head"] != row["head"] else "pending"
    verdict = verdict if row["state"] == RequestState.OPEN.value else ""
    if verdict == "waits":
        shown["allowed_by"] = ""
    return shown | dict.fromkeys(found) | {"verdict": verdict, "reason": row["fault"]}


def _row(project: str, seen: ChangeRequest) -> dict[str, Any]:
    return {"project": project} | asdict(seen) | {"state": seen.state.value}


def _known(row: sa.RowMapping) -> KnownRequest:
    fields = {name: row[name] for name in ChangeRequest.__dataclass_fields__}
    request = ChangeRequest(**fields | {"state": RequestState(row["state"])})
    names = ("base", "reason", "new", "fixed", "not_live")
    found = {name: row[name] for name in names} | {"verdict": RequestResult(row["verdict"])} if _is_judged(row) else {}
    verdict = RequestVerdict(**found) if found else None
    return KnownRequest(request, row["allowed_head"], row["started_head"], row["fault"], verdict)


def _is_judged(row: sa.RowMapping) -> bool:
    return bool(row["verdict"]) and (row["judged_head"], row["judged_target"]) == (row["head"], row["target_branch"])


def _is(project: str, number: int) -> sa.ColumnElement[bool]:
    return (_TABLE.c.project == project) & (_TABLE.c.number == number)
