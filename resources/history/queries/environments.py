"""Projects and the environments they were deployed to, and how well commits are delivered there."""

from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa

from infraaudit_domain.delivery.dora import Dora, measure
from resources.history import schema
from resources.history.deployments import deployments
from resources.history.store import History


def project_names(history: History) -> list[str]:
    """Every project that has a commit or was recorded."""
    known = sa.union(sa.select(schema.projects.c.name), sa.select(schema.commits.c.project).distinct())
    return sorted(row["name"] for row in history.rows(known))


def recorded_projects(history: History) -> list[str]:
    """Every project that a run or the service recorded, in the order of their names."""
    return [row["name"] for row in history.rows(sa.select(schema.projects.c.name).order_by("name"))]


def environments(history: History) -> list[tuple[str, str]]:
    """Every project and environment with a recorded deployment."""
    table = schema.deployments
    pairs = history.rows(sa.select(table.c.project, table.c.environment).distinct())
    return sorted((row["project"], row["environment"]) for row in pairs)


def dora(history: History, project: str, environment: str, now: datetime, days: float = 30) -> Dora:
    """The DORA measures of a project and environment in the window that ends now."""
    table = schema.deployed_commits
    there = (table.c.project == project) & (table.c.environment == environment)
    recent = table.c.deployed_at.between(now - timedelta(days=days), now)
    rows = history.rows(sa.select(table.c.committed_at, table.c.deployed_at).where(there & recent))
    leads = [(row["deployed_at"] - row["committed_at"]).total_seconds() for row in rows]
    past = deployments(history, project, environment)[::-1]
    return measure(past, leads, now, days, positions_on_line(history, project, {one.sha for one in past}))


def positions_on_line(history: History, project: str, shas: Collection[str]) -> dict[str, int]:
    """The positions of those of some commits that are on the project's deploy branch, from 0."""
    lines, projects = schema.line_commits, schema.projects
    query = sa.select(lines.c.sha, lines.c.position).join(
        projects, (projects.c.name == lines.c.project) & (projects.c.deploy_branch == lines.c.branch)
    )
    rows = history.rows(query.where(lines.c.project == project))
    return {row["sha"]: row["position"] for row in rows if row["sha"] in shas}
