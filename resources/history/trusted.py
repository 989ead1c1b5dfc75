"""The Checkov configuration that a project had when it was first scanned: what it hid then is accepted.

So that neither a first scan nor an upgrade closes a gate for what has always been hidden, while a change of the file
hides nothing by itself. Written once for each project.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from infraaudit_domain.scans.checkov_config import CheckovConfig
from infraaudit_domain.scans.findings import ScanStatus
from resources.history import schema
from resources.history.store import History


def trusted_configuration(history: History, project: str) -> tuple[str, CheckovConfig] | None:
    """The commit whose configuration was trusted, and the configuration; None as long as nothing was scanned."""
    table = schema.trusted_configurations
    row = history.row(sa.select(table).where(table.c.project == project))
    if row is None:
        return None
    return row["sha"], CheckovConfig(**{name: tuple(values) for name, values in row["configuration"].items()})


def trust(history: History, project: str, sha: str, config: CheckovConfig) -> None:
    """Record a configuration as trusted; where one is recorded already, that one stays."""
    table = schema.trusted_configurations
    fields = {name: list(values) for name, values in asdict(config).items()}
    row = {"project": project, "sha": sha, "configuration": fields, "recorded_at": datetime.now(UTC)}
    insert = (postgresql if history.dialect == "postgresql" else sqlite).insert(table)
    with history.writing() as connection:
        connection.execute(insert.on_conflict_do_nothing(), [row])


def scanned_first(history: History, project: str) -> Sequence[str]:
    """The commits of a project with a usable scan, in the order in which they were scanned."""
    table = schema.scans
    usable = (table.c.project == project) & (table.c.status != ScanStatus.FAILED.value)
    return [row["sha"] for row in history.rows(sa.select(table.c.sha).where(usable).order_by(table.c.started_at))]
