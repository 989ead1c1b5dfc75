"""Approvals as the history holds them, and the deployments that wait for them or for the end of a freeze.

What was taken back stays as a row. Deliberately absent: which approvals count (infraaudit_domain/delivery/approvals.py).
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.delivery.approvals import Approval, Leave, folded
from infraaudit_domain.delivery.deployments import HELD, Deployment, Outcome
from infraaudit_domain.errors import NotThereError, excerpt
from infraaudit_domain.judging.audit_log import Act, Actor, Via
from resources.history import schema
from resources.history.decisions.audit_log import log
from resources.history.decisions.taking_back import LONGEST, taken_back
from resources.history.rows import DEPLOYMENT_COLUMNS, changed_nothing, deployment_of
from resources.history.store import History

_TABLE = schema.approvals
_STANDING = _TABLE.c.taken_back_at.is_(None)


def approve(history: History, given: Approval, actor: Actor | None = None) -> Approval:
    """Record an approval, or leave to deploy in a freeze; what the same person gave before stays beside it."""
    kept = Approval(**asdict(given) | {"reason": excerpt(given.reason, LONGEST), "approved_by": _name(given)})
    with history.writing() as connection:
        connection.execute(_TABLE.insert(), [asdict(kept) | {"leave": kept.leave.value}])
        act = Act.APPROVE if kept.leave is Leave.DEPLOY else Act.OVERRIDE_FREEZE
        by, subject = actor or Actor(kept.approved_by, Via.CLI), f"{kept.sha} in {kept.environment}"
        log(connection, by, act, kept.project, subject, kept.reason)
    return kept


def take_back(
    history: History, project: str, environment: str, sha: str, reason: str, by: str, actor: Actor | None = None
) -> None:
    """Withdraw what somebody gave a commit in an environment. Raises NotThereError where that is nothing."""
    standing = sa.select(_TABLE.c.id, _TABLE.c.approved_by).where(_of(project, environment, sha) & _STANDING)
    with history.writing() as connection:
        rows = connection.execute(standing).mappings()
        # No database folds names as Python does.
        mine = [row["id"] for row in rows if folded(row["approved_by"]) == folded(excerpt(by, 255))]
        undone = _TABLE.update().where(_TABLE.c.id.in_(mine) & _STANDING).values(taken_back(reason, by))
        if not (mine and connection.execute(undone).rowcount):
            raise NotThereError(f"{by} has given nothing to {sha[:12]} in {environment}; see `infraaudit approvals`.")
        log(connection, actor or Actor(by, Via.CLI), Act.APPROVE_BACK, project, f"{sha} in {environment}", reason)


def approvals_of(history: History, project: str, environment: str, sha: str) -> list[Approval]:
    """What stands for a commit in an environment, oldest first."""
    rows = history.rows(sa.select(_TABLE).where(_of(project, environment, sha) & _STANDING).order_by(_TABLE.c.id))
    names = Approval.__dataclass_fields__
    return [Approval(**{name: row[name] for name in names} | {"leave": Leave(row["leave"])}) for row in rows]


def approval_rows(history: History, project: str, environment: str = "", sha: str = "") -> Sequence[dict[str, Any]]:
    """Everything that was given in a project, newest first, what was taken back included."""
    commits = schema.commits
    query = (
        sa.select(_TABLE, commits.c.subject, commits.c.author_name.label("author"))
        .outerjoin(commits, (commits.c.project == _TABLE.c.project) & (commits.c.sha == _TABLE.c.sha))
        .where(_TABLE.c.project == project)
    )
    query = query.where(_TABLE.c.environment == environment) if environment else query
    query = query.where(_TABLE.c.sha == sha) if sha else query
    return [dict(row) for row in history.rows(query.order_by(_TABLE.c.id.desc()))]


def held_deployments(history: History, project: str, environment: str) -> list[Deployment]:
    """The commits whose last attempt in an environment waits, the one that began to wait last first.

    Attempts that were cut off, or ended before anything was tried, leave a commit waiting.
    """
    table = schema.deployments
    mine = (table.c.project == project) & (table.c.environment == environment)
    cut_off = table.c.outcome.in_([Outcome.RUNNING.value, Outcome.INTERRUPTED.value])
    untried = changed_nothing() & table.c.outcome.in_([Outcome.FAILED.value, Outcome.SKIPPED.value])
    last = sa.select(sa.func.max(table.c.id)).where(mine, ~cut_off, ~untried).group_by(table.c.sha)
    waiting = table.c.id.in_(last) & table.c.outcome.in_([outcome.value for outcome in HELD])
    rows = history.rows(sa.select(*DEPLOYMENT_COLUMNS).where(waiting).order_by(table.c.id.desc()))
    return [deployment_of(row) for row in rows]


def _of(project: str, environment: str, sha: str) -> sa.ColumnElement[bool]:
    return (_TABLE.c.project == project) & (_TABLE.c.environment == environment) & (_TABLE.c.sha == sha)


def _name(given: Approval) -> str:
    return excerpt(" ".join(given.approved_by.split()), 255)
