"""What was live in an environment at a moment, how it came there, and what was in doubt.

Deliberately absent: its findings (at.py), and who asked for a deployment by hand, which the history does not have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from infraaudit_domain.delivery.deployments import IN_DOUBT, TRIED, Deployment, Outcome
from infraaudit_domain.delivery.live_periods import Period, live_periods
from infraaudit_domain.delivery.stage import StageOutcome
from resources.history import schema
from resources.history.deployments import deployments
from resources.history.stored_line import StoredLine

BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class LiveThen:
    """An environment at a moment; without ``period`` nothing had become healthy yet."""

    environment: str
    at: datetime
    period: Period | None
    brought: Deployment | None = None
    """The deployment that made it live."""
    doubt: str = ""
    """Why it may not have run as it was deployed."""
    under_way: str = ""
    """The commit that was being deployed."""
    first: datetime | None = None
    """When the first commit became healthy here; None where none ever did."""


def live_then(line: StoredLine, environment: str, at: datetime) -> LiveThen:
    """What was live in an environment at a moment."""
    attempts = deployments(line.history, line.project, environment)[::-1]
    periods = live_periods(attempts, line.positions())
    past = [one for one in periods if one.start <= at]
    under_way = next((one.sha for one in attempts if _spans(one, at)), "")
    first = periods[0].start if periods else None
    if not past:
        return LiveThen(environment, at, None, under_way=under_way, first=first)
    period = past[-1]
    return LiveThen(environment, at, period, _bringing(attempts, period), _doubt(attempts, at), under_way, first)


def how_it_came(line: StoredLine, done: Deployment) -> tuple[str, str]:
    """ "pipeline" and its run, or "by hand" (who did it is not recorded) and no run."""
    table = schema.stages
    of_commit = (table.c.project == line.project) & (table.c.sha == done.sha) & table.c.stage.startswith("deployment")
    during = (table.c.started_at <= done.started_at) & (table.c.finished_at >= done.finished_at)
    ran = table.c.outcome != StageOutcome.SKIPPED.value
    query = sa.select(table.c.run_id).where(of_commit, during, ran).order_by(table.c.finished_at).limit(1)
    row = line.history.row(query)
    return ("pipeline", row["run_id"]) if row else (BY_HAND, "")


def brought_with(line: StoredLine, done: Deployment) -> list[str]:
    """The commits that became live in an environment for the first time with a deployment."""
    table = schema.deployed_commits
    query = sa.select(table.c.sha).where(
        table.c.project == line.project,
        table.c.environment == done.environment,
        table.c.deployed_by == done.sha,
        table.c.deployed_at == done.finished_at,
    )
    return [row["sha"] for row in line.history.rows(query)]


def _spans(one: Deployment, at: datetime) -> bool:
    return one.outcome in {*TRIED, Outcome.INTERRUPTED} and one.started_at <= at < one.finished_at


def _bringing(attempts: Sequence[Deployment], period: Period) -> Deployment | None:
    healthy = (one for one in attempts if one.sha == period.sha and one.outcome is Outcome.DEPLOYED)
    return next((one for one in healthy if one.finished_at == period.start), None)


def _doubt(attempts: Sequence[Deployment], at: datetime) -> str:
    ended = [one for one in attempts if one.finished_at <= at and one.outcome in TRIED | IN_DOUBT]
    last = ended[-1] if ended else None
    if last is None or last.outcome not in IN_DOUBT:
        return ""
    how = f"the last deployment before, of {last.sha[:12]}, ended as {last.outcome.value}"
    return f"{how}; it is not known whether what was live still ran as it was deployed"
