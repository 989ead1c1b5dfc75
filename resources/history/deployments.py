"""Deployments as the history holds them: tried, healthy, live before, and whether one ended an incident."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from infraaudit_domain.delivery.deployments import IN_DOUBT, TRIED, Deployment, Outcome
from infraaudit_domain.delivery.stage import StageOutcome
from resources.history import schema
from resources.history.decisions.rejections import rejected
from resources.history.rows import DEPLOYMENT_COLUMNS, changed_nothing, deployment_of
from resources.history.store import History

_MOST_CUT_OFF = 20
"""Each costs a look at all of its objects, under the lock of the environment."""


def deployed(history: History, project: str, environment: str, sha: str | None = None) -> Deployment | None:
    """The newest deployment that became healthy; of one commit where it is given."""
    return _newest(history, project, environment, schema.deployments.c.sha == sha if sha else sa.true())


def deployed_before(history: History, live: Deployment, besides: Iterable[str] = ()) -> Deployment | None:
    """The newest healthy deployment of another commit from before the live commit was first tried; of none that was
    rejected, nor of ``besides``.

    So two rollbacks go back two commits, instead of back and forth.
    """
    table = schema.deployments
    first_try = (
        sa.select(sa.func.min(table.c.id))
        .where(table.c.project == live.project, table.c.environment == live.environment, table.c.sha == live.sha)
        .scalar_subquery()
    )
    stays_out = table.c.sha.in_([live.sha, *rejected(history, live.project), *besides])
    return _newest(history, live.project, live.environment, ~stays_out & (table.c.id < first_try))


def last_tried(history: History, project: str, environment: str, among: Iterable[Outcome] = TRIED) -> Deployment | None:
    """The newest attempt that changed the environment, or tried to; without its manifests."""
    table = schema.deployments
    wanted = (table.c.project == project) & (table.c.environment == environment) & table.c.outcome.in_(list(among))
    wanted &= ~changed_nothing()
    rows = history.rows(sa.select(*DEPLOYMENT_COLUMNS).where(wanted).order_by(table.c.id.desc()).limit(1))
    return deployment_of(rows[0]) if rows else None


def is_under_way(history: History, project: str, environment: str, since: datetime) -> bool:
    """Whether an attempt that began after a time has not ended; an older one was killed, which the next one notes."""
    table = schema.deployments
    mine = (table.c.project == project) & (table.c.environment == environment)
    going = mine & (table.c.outcome == Outcome.RUNNING.value) & (table.c.started_at > since)
    return bool(history.rows(sa.select(table.c.id).where(going).limit(1)))


def cut_off(history: History, project: str, environment: str) -> list[Deployment]:
    """The attempts since the last one that knew what it left: those that are under way, were interrupted, or failed, as
    their way back may have failed, too; with their manifests, oldest first, and of many the newest."""
    table = schema.deployments
    mine = (table.c.project == project) & (table.c.environment == environment) & ~changed_nothing()
    certain = mine & table.c.outcome.in_(list(TRIED - IN_DOUBT))
    settled = sa.select(sa.func.max(table.c.id)).where(certain).scalar_subquery()
    ended = table.c.outcome.in_([Outcome.RUNNING, *IN_DOUBT]) & (table.c.id > sa.func.coalesce(settled, 0))
    rows = history.rows(sa.select(table).where(mine, ended).order_by(table.c.id.desc()).limit(_MOST_CUT_OFF))
    return [deployment_of(row) for row in reversed(rows)]


def is_any_running(history: History, project: str, environment: str) -> bool:
    """Whether an attempt is recorded as under way, however long ago it began."""
    table = schema.deployments
    mine = (table.c.project == project) & (table.c.environment == environment)
    return bool(history.rows(sa.select(table.c.id).where(mine, table.c.outcome == Outcome.RUNNING.value).limit(1)))


def being_measured(history: History, project: str, environment: str) -> Deployment | None:
    """The newest attempt where it is under way and answers at an address already; without its manifests."""
    table = schema.deployments
    mine = (table.c.project == project) & (table.c.environment == environment) & ~changed_nothing()
    rows = history.rows(sa.select(*DEPLOYMENT_COLUMNS).where(mine).order_by(table.c.id.desc()).limit(1))
    newest = deployment_of(rows[0]) if rows else None
    return newest if newest and newest.outcome is Outcome.RUNNING and newest.url else None


def live_since(history: History, live: Deployment) -> datetime:
    """Since when the commit that is live has been so without a break, whatever was deployed of it again."""
    table = schema.deployments
    healthy = (table.c.project == live.project) & (table.c.environment == live.environment)
    healthy &= table.c.outcome == Outcome.DEPLOYED.value
    other = sa.select(sa.func.max(table.c.id)).where(healthy, table.c.sha != live.sha).scalar_subquery()
    query = sa.select(table.c.finished_at).where(healthy, table.c.id > sa.func.coalesce(other, 0))
    return next((row["finished_at"] for row in history.rows(query.order_by(table.c.id).limit(1))), live.finished_at)


def healthy_deployments(history: History, project: str, environment: str, limit: int = 50) -> list[Deployment]:
    """The newest deployments that became healthy, newest first; without the manifests, which are large."""
    table = schema.deployments
    wanted = (table.c.project == project) & (table.c.environment == environment)
    healthy = wanted & (table.c.outcome == Outcome.DEPLOYED.value)
    rows = history.rows(sa.select(*DEPLOYMENT_COLUMNS).where(healthy).order_by(table.c.id.desc()).limit(limit))
    return [deployment_of(row) for row in rows]


def deployments(history: History, project: str, environment: str | None = None, limit: int = 0) -> list[Deployment]:
    """Deployments, newest first; without the manifests, which are large."""
    table = schema.deployments
    query = sa.select(*DEPLOYMENT_COLUMNS).where(table.c.project == project).order_by(table.c.id.desc())
    query = query.where(table.c.environment == environment) if environment else query
    rows = history.rows(query.limit(limit) if limit else query)
    return [deployment_of(row) for row in rows]


def tried_deployments(history: History, since: datetime, outcomes: Iterable[Outcome] = TRIED) -> list[Deployment]:
    """Deployments that ended since a moment, by default those that were tried, oldest first; without their manifests."""
    table = schema.deployments
    ended = (table.c.finished_at >= since) & table.c.outcome.in_(list(outcomes))
    rows = history.rows(sa.select(*DEPLOYMENT_COLUMNS).where(ended).order_by(table.c.id))
    return [deployment_of(row) for row in rows]


def ends_an_incident(history: History, done: Deployment) -> bool:
    """Whether something had failed that a healthy deployment fixed: the attempt before it in its environment, or
    a stage of a commit that it brought. The first that becomes healthy in an environment ends none: nothing ran."""
    table, brought, stages = schema.deployments, schema.deployed_commits, schema.stages
    here = (table.c.project == done.project) & (table.c.environment == done.environment)
    tried = here & table.c.outcome.in_([outcome.value for outcome in TRIED]) & (table.c.started_at < done.started_at)
    before = [row["outcome"] for row in history.rows(sa.select(table.c.outcome).where(tried).order_by(table.c.id))]
    if Outcome.DEPLOYED not in before:
        return False
    if before[-1] != Outcome.DEPLOYED:
        return True
    mine = (brought.c.project == done.project) & (brought.c.environment == done.environment)
    failed = (
        sa.select(stages.c.sha)
        .join(brought, (brought.c.project == stages.c.project) & (brought.c.sha == stages.c.sha))
        .where(mine, brought.c.deployed_by == done.sha, brought.c.deployed_at == done.finished_at)
        .where(stages.c.outcome == StageOutcome.FAILED.value)
        .where(stages.c.finished_at < done.started_at)
    )
    return bool(history.rows(failed.limit(1)))


def _newest(history: History, project: str, environment: str, condition: sa.ColumnElement[bool]) -> Deployment | None:
    table = schema.deployments
    wanted = (table.c.project == project) & (table.c.environment == environment) & condition
    healthy = wanted & (table.c.outcome == Outcome.DEPLOYED.value)
    rows = history.rows(sa.select(table).where(healthy).order_by(table.c.id.desc()).limit(1))
    return deployment_of(rows[0]) if rows else None
