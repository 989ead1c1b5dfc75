"""The Grafana dashboard as code. configs/prometheus/grafana_dashboard.json is what this generates.

Deliberately absent: sending it to a Grafana.
"""

import json
from typing import Any

_PANELS = (
    ("Open findings by severity", "sum by (severity) (infraaudit_findings{project=~\"$project\",status=\"open\"})", "short"),
    ("New and fixed findings", "sum by (change) (increase(infraaudit_finding_changes_total{project=~\"$project\"}[$__range]))", "short"),
    ("Tests by outcome", "sum by (outcome) (infraaudit_tests{project=~\"$project\"})", "short"),
    ("Stage duration", "sum by (stage) (infraaudit_stage_seconds{project=~\"$project\"})", "s"),
    ("Deployments by outcome", "sum by (outcome) (infraaudit_deployments_total{project=~\"$project\"})", "short"),
    ("Image size", "infraaudit_image_size_bytes{project=~\"$project\"}", "bytes"),
    ("Live since", "time() - infraaudit_deployment_time_seconds{project=~\"$project\"}", "s"),
    ("Service up", "up{project=~\"$project\"}", "short"),
)  # fmt: skip


def build_dashboard() -> str:
    """The dashboard of the pipeline as JSON, the same text for the same code."""
    from grafana_foundation_sdk.builders import dashboard as build
    from grafana_foundation_sdk.builders import prometheus, timeseries
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common

    source = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
    board = (
        build.Dashboard("InfraAudit")
        .uid("infraaudit")
        .tags(["infraaudit"])
        .with_variable(build.DatasourceVariable("datasource").type("prometheus"))
        .with_variable(
            build.QueryVariable("project")
            .datasource(source)
            .query("label_values(infraaudit_findings, project)")
            .multi(True)
            .include_all(True)
        )
    )
    for number, (title, expression, unit) in enumerate(_PANELS, start=1):
        target = prometheus.Dataquery().ref_id("A").expr(expression)
        panel = timeseries.Panel().id(number).title(title).datasource(source).unit(unit).span(12).height(8)
        board = board.with_panel(panel.with_target(target))
    return str(JSONEncoder(sort_keys=True, indent=2).encode(board.build())) + "\n"


def check_dashboard(text: str) -> dict[str, Any]:
    """Parse a dashboard and return it. Raises MonitoringError where it is no Grafana dashboard."""
    from infraaudit_assets.domain.errors import MonitoringError

    try:
        board = json.loads(text)
        titles = [panel["title"] for panel in board["panels"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MonitoringError(
            "The commit's grafana_dashboard.json is no dashboard: panels with titles are missing."
        ) from error
    return {"title": str(board.get("title", "")), "panels": titles}
