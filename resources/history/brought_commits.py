"""The commits that became live with a deployment, each recorded once."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from infraaudit_domain.delivery.deployments import Deployment
from resources.history import schema


def record_brought(connection: sa.Connection, done: Deployment, brought: Sequence[tuple[str, datetime]]) -> None:
    """A commit is brought once: where a rollback removes it and a later deployment brings it again, the first time
    stays."""
    table = schema.deployed_commits
    key = {"project": done.project, "environment": done.environment}
    known = sa.select(table.c.sha).where(
        table.c.sha.in_([sha for sha, _ in brought]), *(table.c[name] == value for name, value in key.items())
    )
    there = set(connection.execute(known).scalars()) if brought else set()
    new = {"deployed_at": done.finished_at, "deployed_by": done.sha}
    rows = [
        key | new | {"sha": sha, "committed_at": min(moment, done.finished_at)}
        for sha, moment in brought
        if sha not in there
    ]
    if rows:
        connection.execute(table.insert(), rows)
