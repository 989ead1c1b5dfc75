"""What became healthy in an environment, with the manifests that would bring it back."""

import sqlalchemy as sa

from infraaudit_domain.deployments import Deployment, Outcome
from resources.history import schema
from resources.history.queries.environments import rows_of
from resources.history.store import History


def deployed(history: History, project: str, environment: str, sha: str | None = None) -> Deployment | None:
    """The newest deployment that became healthy, of a commit where one is given."""
    return _newest(history, project, environment, schema.deployments.c.sha == sha if sha else sa.true())


def deployed_before(history: History, live: Deployment) -> Deployment | None:
    """The newest deployment of another commit that became healthy before what is live was first tried.

    Going back twice therefore goes back twice, instead of to and fro.
    """
    table = schema.deployments
    first_try = (
        sa.select(sa.func.min(table.c.id))
        .where(table.c.project == live.project, table.c.environment == live.environment, table.c.sha == live.sha)
        .scalar_subquery()
    )
    return _newest(history, live.project, live.environment, (table.c.sha != live.sha) & (table.c.id < first_try))


def healthy_deployments(history: History, project: str, environment: str, limit: int = 50) -> list[Deployment]:
    """The newest deployments that became healthy, newest first; without the manifests, which are large."""
    table = schema.deployments
    wanted = (table.c.project == project) & (table.c.environment == environment)
    healthy = wanted & (table.c.outcome == Outcome.DEPLOYED.value)
    columns = [table.c[name] for name in Deployment.__dataclass_fields__ if name != "manifests"]
    rows = rows_of(history, sa.select(*columns).where(healthy).order_by(table.c.id.desc()).limit(limit))
    return [Deployment(**dict(row) | {"outcome": Outcome(row["outcome"])}) for row in rows]


def lines_printed(history: History, project: str, sha: str, environment: str | None = None) -> dict[str, int]:
    """How many lines a commit has printed by level, in all environments or in one."""
    table = schema.log_counts
    query = sa.select(table.c.level, sa.func.sum(table.c.lines).label("lines")).group_by(table.c.level)
    query = query.where(table.c.project == project, table.c.sha == sha)
    rows = rows_of(history, query.where(table.c.environment == environment) if environment else query)
    return {row["level"]: int(row["lines"]) for row in rows}


def counted_days(history: History, project: str, environment: str) -> set[str]:
    """The days of which it is recorded how many lines were printed."""
    table = schema.log_counts
    query = sa.select(table.c.day).distinct()
    rows = rows_of(history, query.where(table.c.project == project, table.c.environment == environment))
    return {row["day"] for row in rows}


def _newest(history: History, project: str, environment: str, condition: sa.ColumnElement[bool]) -> Deployment | None:
    table = schema.deployments
    wanted = (table.c.project == project) & (table.c.environment == environment) & condition
    healthy = wanted & (table.c.outcome == Outcome.DEPLOYED.value)
    rows = rows_of(history, sa.select(table).where(healthy).order_by(table.c.id.desc()).limit(1))
    if not rows:
        return None
    fields = {name: rows[0][name] for name in Deployment.__dataclass_fields__}
    return Deployment(**fields | {"outcome": Outcome(rows[0]["outcome"])})
