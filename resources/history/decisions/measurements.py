"""What releases were measured by before they counted as deployed. Deliberately absent: judging it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.delivery.analysis import Measured
from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.errors import excerpt
from resources.history import schema
from resources.history.database import upsert
from resources.history.store import History

_TABLE = schema.measurements


def record_measurements(history: History, release: Release, started_at: datetime, found: Sequence[Measured]) -> None:
    """Record what was measured of the attempt that began at a time."""
    key = {"project": release.project, "environment": release.environment, "sha": release.sha, "started_at": started_at}
    rows = [key | asdict(one) | {"why": excerpt(one.why, 1000)} for one in found]
    with history.writing() as connection:
        upsert(connection, _TABLE, rows)


def measurement_rows(history: History, project: str, environment: str = "", sha: str = "") -> Sequence[dict[str, Any]]:
    """What was measured in a project, newest attempt first."""
    query = sa.select(_TABLE).where(_TABLE.c.project == project)
    query = query.where(_TABLE.c.environment == environment) if environment else query
    query = query.where(_TABLE.c.sha == sha) if sha else query
    return [dict(row) for row in history.rows(query.order_by(_TABLE.c.started_at.desc(), _TABLE.c.name))]
