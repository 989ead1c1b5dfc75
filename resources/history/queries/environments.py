"""Projects and the environments they were deployed to, with every deployment and what it brought."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from infraaudit_domain.deployments import Deployment, Outcome
from infraaudit_domain.dora import Dora, measure
from resources.history import schema
from resources.history.database import translated
from resources.history.store import History


def rows_of(history: History, query: sa.Select) -> Sequence[sa.RowMapping]:
    """The rows of one read."""
    with translated(history.engine), history.engine.connect().execution_options(read_only=True) as connection:
        return connection.execute(query).mappings().all()


def project_names(history: History) -> list[str]:
    """Every project that has a commit or was recorded."""
    known = sa.union(sa.select(schema.projects.c.name), sa.select(schema.commits.c.project).distinct())
    return sorted(row["name"] for row in rows_of(history, known))  # type: ignore[arg-type]


def recorded_projects(history: History) -> list[str]:
    """Every project that a run or the service recorded, in the order of their names."""
    return [row["name"] for row in rows_of(history, sa.select(schema.projects.c.name).order_by("name"))]


def environments(history: History) -> list[tuple[str, str]]:
    """Every project and environment that a deployment was recorded for."""
    table = schema.deployments
    pairs = rows_of(history, sa.select(table.c.project, table.c.environment).distinct())
    return sorted((row["project"], row["environment"]) for row in pairs)


def deployments(history: History, project: str, environment: str | None = None, limit: int = 0) -> list[Deployment]:
    """Deployments, newest first; without the manifests, which are large."""
    table = schema.deployments
    columns = [
        column for column in table.c if column.name in Deployment.__dataclass_fields__ and column.name != "manifests"
    ]
    query = sa.select(*columns).where(table.c.project == project).order_by(table.c.id.desc())
    query = query.where(table.c.environment == environment) if environment else query
    rows = rows_of(history, query.limit(limit) if limit else query)
    return [Deployment(**dict(row) | {"outcome": Outcome(row["outcome"])}) for row in rows]


def dora(history: History, project: str, environment: str, now: datetime, days: float = 30) -> Dora:
    """The DORA measures of a project and environment in the window that ends now."""
    table = schema.deployed_commits
    there = (table.c.project == project) & (table.c.environment == environment)
    recent = table.c.deployed_at.between(now - timedelta(days=days), now)
    rows = rows_of(history, sa.select(table.c.committed_at, table.c.deployed_at).where(there & recent))
    leads = [(row["deployed_at"] - row["committed_at"]).total_seconds() for row in rows]
    return measure(deployments(history, project, environment), leads, now, days)
