"""Convert rows: the one module where a row becomes an image, a finding or a deployment."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.delivery.deployments import Deployment, Outcome
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
