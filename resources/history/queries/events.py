"""Stages as they ended: those that failed lately, and those of one run."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from infraaudit_domain.deployments import TRIED
from resources.history import schema
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
    return history.rows(query.where(~told_by_deployment).order_by(stages.c.finished_at))


def stages_of_run(history: History, run_id: str) -> dict[str, str]:
    """The outcome of each stage that a run recorded."""
    table = schema.stages
    rows = history.rows(sa.select(table.c.stage, table.c.outcome).where(table.c.run_id == run_id))
    return {row["stage"]: row["outcome"] for row in rows}
