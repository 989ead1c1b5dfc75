"""The audit log as the history holds it: rows are added, in the transaction of what they tell of where that writes too.

The database refuses to change a row, and to delete one that :func:`prune_log` did not name first.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.errors import excerpt
from infraaudit_domain.judging.audit_log import Act, Actor
from resources.history import schema
from resources.history.store import History

_TABLE = schema.audit_log
_LONGEST = 2000
BEGUN = "begun; `infraaudit deployments` has the outcome"
"""Details of what is logged before it is done, so that a line is there also where it breaks off."""


def log(
    connection: sa.Connection,
    actor: Actor,
    act: Act,
    project: str,
    subject: str,
    details: str = "",
    at: datetime | None = None,
) -> None:
    """Add a line in a transaction."""
    row = {
        "project": project,
        "at": at or datetime.now(UTC),
        "actor": excerpt(" ".join(actor.name.split()), 255),
        "via": actor.via.value,
        "address": excerpt(actor.address, 255),
        "act": act.value,
        "subject": excerpt(subject, _LONGEST),
        "details": excerpt(details, _LONGEST),
    }
    connection.execute(_TABLE.insert(), [row])


def log_act(history: History, actor: Actor, act: Act, project: str, subject: str, details: str = "") -> None:
    """Add a line for what is written elsewhere, or only asked for."""
    with history.writing() as connection:
        log(connection, actor, act, project, subject, details)


def log_rows(
    history: History,
    project: str,
    act: str = "",
    actor: str = "",
    since: datetime | None = None,
    most: int = 0,
    skip: int = 0,
) -> tuple[int, list[dict[str, Any]]]:
    """How many lines there are of a project and of the whole installation, and one page of them, newest first."""
    where: list[sa.ColumnElement[bool]] = [_TABLE.c.project.in_(["", project])]
    where += [_TABLE.c.act == act] if act else []
    where += [_TABLE.c.actor == actor] if actor else []
    where += [_TABLE.c.at >= since] if since else []
    total = history.rows(sa.select(sa.func.count().label("n")).select_from(_TABLE).where(*where))[0]["n"]
    query = sa.select(_TABLE).where(*where).order_by(_TABLE.c.at.desc(), _TABLE.c.id.desc()).offset(skip).limit(most)
    return total, [dict(row) for row in history.rows(query)]


def prune_log(history: History, before: datetime, by: Actor) -> int:
    """Delete the lines before a moment; who did so, and up to where, stays for ever. Returns how many went."""
    kept = {"before": before, "pruned_at": datetime.now(UTC), "pruned_by": excerpt(by.name, 255)}
    with history.writing() as connection:
        connection.execute(schema.audit_retention.insert(), [kept])
        gone = connection.execute(_TABLE.delete().where(_TABLE.c.at < before)).rowcount
        log(connection, by, Act.PRUNE, "", "audit log", f"{gone} lines before {before:%Y-%m-%d}")
    return int(gone)
