"""What happened lately that people may have to be told: stages that failed, and deployments that ended."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from infraaudit_domain.deployments import Deployment, Outcome
from infraaudit_domain.dora import TRIED
from resources.history import schema
from resources.history.queries.environments import rows_of
from resources.history.store import History


def failed_stages(history: History, since: datetime) -> Sequence[sa.RowMapping]:
    """Stages that failed for good, oldest first; of a deployment that was tried, its own row tells more."""
    stages, tried = schema.stages, schema.deployments
    told_by_deployment = sa.exists().where(
        tried.c.project == stages.c.project,
        tried.c.sha == stages.c.sha,
        tried.c.outcome.in_([outcome.value for outcome in TRIED]),
        tried.c.finished_at.between(stages.c.started_at, stages.c.finished_at),
    )
    query = sa.select(stages).where(stages.c.finished_at >= since, stages.c.outcome == "failed")
    return rows_of(history, query.where(~told_by_deployment).order_by(stages.c.finished_at))


def stages_of_run(history: History, run_id: str) -> dict[str, str]:
    """The outcome of each stage that a run recorded."""
    table = schema.stages
    rows = rows_of(history, sa.select(table.c.stage, table.c.outcome).where(table.c.run_id == run_id))
    return {row["stage"]: row["outcome"] for row in rows}


def tried_deployments(history: History, since: datetime) -> list[Deployment]:
    """Deployments that were tried and ended since a moment, oldest first; without their manifests."""
    table = schema.deployments
    columns = [table.c[name] for name in Deployment.__dataclass_fields__ if name != "manifests"]
    ended = (table.c.finished_at >= since) & table.c.outcome.in_([outcome.value for outcome in TRIED])
    rows = rows_of(history, sa.select(*columns).where(ended).order_by(table.c.id))
    return [Deployment(**dict(row) | {"outcome": Outcome(row["outcome"])}) for row in rows]


def ends_an_incident(history: History, done: Deployment) -> bool:
    """Whether something had failed that a healthy deployment mended: the attempt before it in its place, or a stage
    of a commit that it brought."""
    table, brought, stages = schema.deployments, schema.deployed_commits, schema.stages
    place = (table.c.project == done.project) & (table.c.environment == done.environment)
    tried = place & table.c.outcome.in_([outcome.value for outcome in TRIED]) & (table.c.started_at < done.started_at)
    before = rows_of(history, sa.select(table.c.outcome).where(tried).order_by(table.c.started_at.desc()).limit(1))
    if before and before[0]["outcome"] != Outcome.DEPLOYED.value:
        return True
    mine = (brought.c.project == done.project) & (brought.c.environment == done.environment)
    failed = (
        sa.select(stages.c.sha)
        .join(brought, (brought.c.project == stages.c.project) & (brought.c.sha == stages.c.sha))
        .where(mine, brought.c.deployed_by == done.sha, stages.c.outcome == "failed")
        .where(stages.c.finished_at < done.started_at)
    )
    return bool(rows_of(history, failed.limit(1)))
