"""Outcomes of stages: those that failed recently, and those of one run."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from infraaudit_domain.delivery.deployments import TRIED
from infraaudit_domain.delivery.stage import StageOutcome
from resources.history import schema
from resources.history.git_events import is_run_of_request
from resources.history.store import History


def failed_stages(history: History, since: datetime) -> Sequence[sa.RowMapping]:
    """Stages that failed for good, oldest first; without those of a tried deployment, whose own row says more, and those
    of requests, which are reported where they were made."""
    stages, tried = schema.stages, schema.deployments
    has_deployment_row = sa.exists().where(
        tried.c.project == stages.c.project,
        tried.c.sha == stages.c.sha,
        tried.c.outcome.in_([outcome.value for outcome in TRIED]),
        tried.c.finished_at.between(stages.c.started_at, stages.c.finished_at),
    )
    query = sa.select(stages).where(stages.c.finished_at >= since, stages.c.outcome == StageOutcome.FAILED.value)
    return history.rows(
        query.where(~has_deployment_row, ~is_run_of_request(stages.c.run_id)).order_by(stages.c.finished_at)
    )


def stages_of_run(history: History, run_id: str) -> dict[str, StageOutcome]:
    """The outcome of each stage that a run recorded."""
    table = schema.stages
    rows = history.rows(sa.select(table.c.stage, table.c.outcome).where(table.c.run_id == run_id))
    return {row["stage"]: StageOutcome(row["outcome"]) for row in rows}
