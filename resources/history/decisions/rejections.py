"""Rejected commits as the history holds them: each with who, when and why; what was taken back stays as a row."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.delivery.rejections import Rejection
from infraaudit_domain.errors import NotThereError, excerpt
from infraaudit_domain.judging.audit_log import Act, Actor, Via
from resources.history import schema
from resources.history.decisions.audit_log import log
from resources.history.decisions.taking_back import LONGEST, taken_back
from resources.history.store import History

_TABLE = schema.rejections
_STANDING = _TABLE.c.taken_back_at.is_(None)


def reject(history: History, project: str, sha: str, reason: str, by: str, actor: Actor | None = None) -> Rejection:
    """Reject a commit; one that is rejected already gets the new reason as a further row."""
    given = Rejection(project, sha, excerpt(reason, LONGEST), excerpt(by, 255), datetime.now(UTC))
    row = {name: getattr(given, name) for name in ("project", "sha", "reason", "rejected_by", "rejected_at")}
    with history.writing() as connection:
        connection.execute(_TABLE.insert(), [row])
        log(connection, actor or Actor(by, Via.CLI), Act.REJECT, project, sha, given.reason)
    return given


def take_back(history: History, project: str, sha: str, reason: str, by: str, actor: Actor | None = None) -> None:
    """Let a commit be deployed again. Raises NotThereError where it is not rejected."""
    mine = (_TABLE.c.project == project) & (_TABLE.c.sha == sha) & _STANDING
    with history.writing() as connection:
        if not connection.execute(_TABLE.update().where(mine).values(taken_back(reason, by))).rowcount:
            raise NotThereError(
                f"{sha[:12]} of {project} is not rejected; `infraaudit rejections` lists those that are."
            )
        log(connection, actor or Actor(by, Via.CLI), Act.REJECT_BACK, project, sha, reason)


def rejected(history: History, project: str) -> dict[str, Rejection]:
    """The commits of a project that are rejected now, by SHA, with the newest reason."""
    mine = (_TABLE.c.project == project) & _STANDING
    rows = history.rows(sa.select(_TABLE).where(mine).order_by(_TABLE.c.id))
    names = ("project", "sha", "reason", "rejected_by", "rejected_at")
    return {row["sha"]: Rejection(**{name: row[name] for name in names}) for row in rows}


def rejection_rows(history: History, project: str) -> Sequence[dict[str, Any]]:
    """Every rejection of a project, newest first, those that were taken back included."""
    query = sa.select(_TABLE).where(_TABLE.c.project == project).order_by(_TABLE.c.id.desc())
    return [
        {name: value for name, value in row.items() if name not in ("id", "project")} for row in history.rows(query)
    ]
