"""Convert rows: the one module where a row becomes an image, a finding or a deployment, and a deployment the rows of
what it brought."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.delivery.deployments import NOWHERE, Deployment, Outcome
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.scans.findings import Finding, FindingStatus, Severity
from resources.history import schema

DEPLOYMENT_COLUMNS = tuple(
    schema.deployments.c[name] for name in Deployment.__dataclass_fields__ if name != "manifests"
)
"""A deployment without its manifests, which are large."""


def image_of(row: sa.RowMapping) -> Image:
    return Image(**{name: row[name] for name in Image.__dataclass_fields__})


def finding_of(row: Mapping[Any, Any]) -> Finding:
    """A finding as a row of the findings or the spans holds it."""
    fields = {name: row[name] for name in Finding.__dataclass_fields__}
    return Finding(**fields | {"status": FindingStatus(row["status"]), "severity": Severity(row["severity"])})


def row_of_finding(finding: Finding) -> dict[str, Any]:
    """The reverse: what both tables hold of a finding."""
    return asdict(finding) | {"status": finding.status.value, "severity": finding.severity.value}


def deployment_of(row: sa.RowMapping) -> Deployment:
    """A deployment; without manifests where the row has none."""
    fields = {name: row[name] for name in Deployment.__dataclass_fields__ if name in row}
    return Deployment(**fields | {"outcome": Outcome(row["outcome"])})


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


def changed_nothing() -> sa.ColumnElement[bool]:
    """The attempts that ended before they reached a target: what those before them left is as it was."""
    return schema.deployments.c.target == NOWHERE
