"""The Grafana dashboard as code. configs/prometheus/grafana_dashboard.json is what this generates.

``python -m infraaudit.pages.grafana_dashboard`` writes that file. Deliberately absent: sending it to a Grafana (resources/grafana/client.py).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from infraaudit_domain.errors import MonitoringError

_BY_IMPORTANCE = 3
_MINE = 'project=~"$project"'
_ENVIRONMENT = f'{_MINE},environment=~"$environment"'


@dataclass(frozen=True, slots=True)
class PanelSpec:
    """One panel: a number or lines over time, of one expression."""

    title: str
    expression: str
    unit: str = "short"
    legend: str = "__auto"
    kind: Literal["lines", "bars", "number"] = "lines"
    width: int = 12
    description: str = ""


PANELS = (
    PanelSpec("Open findings", f'sum(infraaudit_findings{{{_MINE},status="open"}})', kind="number", width=4),
    PanelSpec("Critical and high, live", f'sum(infraaudit_findings_live{{{_ENVIRONMENT},severity=~"critical|high"}})', kind="number", width=4),
    PanelSpec("Deployments a day", f"sum(infraaudit_deployments_per_day{{{_ENVIRONMENT}}})", kind="number", width=4, description="Healthy ones, over 30 days."),
    PanelSpec("Lead time", f"max(infraaudit_lead_time_seconds{{{_ENVIRONMENT}}})", "s", kind="number", width=4, description="Median of commit to healthy, 30 days."),
    PanelSpec("Change failure rate", f"max(infraaudit_change_failure_ratio{{{_ENVIRONMENT}}})", "percentunit", kind="number", width=4),
    PanelSpec("Time to restore", f"max(infraaudit_restore_time_seconds{{{_ENVIRONMENT}}})", "s", kind="number", width=4),
    PanelSpec("Open findings by severity", f'sum by (severity) (infraaudit_findings{{{_MINE},status="open"}})', legend="{{severity}}"),
    PanelSpec("Findings introduced and fixed", f"sum by (change) (increase(infraaudit_finding_changes_total{{{_MINE}}}[$__range]))", legend="{{change}}", kind="bars"),
    PanelSpec("Live findings by severity", f"sum by (severity) (infraaudit_findings_live{{{_ENVIRONMENT}}})", legend="{{severity}}"),
    PanelSpec("Age of what is live", f"time() - max by (project, environment) (infraaudit_deployment_time_seconds{{{_ENVIRONMENT}}})", "s", "{{project}} {{environment}}"),
    PanelSpec("Tests of the newest commit", f"sum by (outcome) (infraaudit_tests{{{_MINE}}})", legend="{{outcome}}"),
    PanelSpec("Deployments by outcome", f"sum by (outcome) (infraaudit_deployments_total{{{_ENVIRONMENT}}})", legend="{{outcome}}"),
    PanelSpec(
        "Mean stage duration",
        f"sum by (stage) (infraaudit_stage_duration_seconds_sum{{{_MINE}}})"
        f" / sum by (stage) (infraaudit_stage_duration_seconds_count{{{_MINE}}})",
        "s",
        "{{stage}}",
    ),
    PanelSpec("Runs by outcome", f"sum by (outcome) (infraaudit_runs_total{{{_MINE}}})", legend="{{outcome}}"),
    PanelSpec("Lines printed, by level", f"sum by (level) (infraaudit_log_lines_total{{{_ENVIRONMENT}}})", legend="{{level}}"),
    PanelSpec("Error lines of what is live", f"max by (project, environment) (infraaudit_log_error_ratio{{{_ENVIRONMENT}}})", "percentunit", "{{project}} {{environment}}"),
    PanelSpec("Image size", f"infraaudit_image_size_bytes{{{_MINE}}}", "bytes", "{{project}}"),
    PanelSpec("Notices waiting, webhooks stored", f"sum(infraaudit_notices_waiting{{{_MINE}}}) + sum(infraaudit_webhook_deliveries_waiting{{{_MINE}}})", kind="lines"),
)  # fmt: skip

ALERTS = "Alerts that fire or are about to"
"""The list of alerts, below the panels."""

ANNOTATIONS = (("Deployments", "green", "deployed"), ("Rollbacks and failures", "red", "rolled_back|failed|degraded"))
"""Marks in every panel: name, colour, and the deployment outcomes that they show."""


def build_dashboard() -> str:
    """The dashboard of the pipeline as JSON, the same text for the same code."""
    from grafana_foundation_sdk.builders import dashboard as build
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common

    source = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
    board = build.Dashboard("InfraAudit").uid("infraaudit").tags(["infraaudit"]).refresh("1m").time("now-30d", "now")
    board = board.with_variable(build.DatasourceVariable("datasource").type("prometheus"))
    for name, query in (
        ("project", "label_values(infraaudit_commits_total, project)"),
        ("environment", "label_values(infraaudit_deployment_info, environment)"),
    ):
        variable = build.QueryVariable(name).datasource(source).query(query).multi(True).include_all(True)
        board = board.with_variable(variable.refresh(_on_time_range_change()))
    for number, spec in enumerate(PANELS, start=1):
        board = board.with_panel(_panel(number, spec, source))
    board = board.with_panel(_alert_list(len(PANELS) + 1))
    for name, color, outcomes in ANNOTATIONS:
        tried = f'increase(infraaudit_deployments_total{{{_ENVIRONMENT},outcome=~"{outcomes}"}}[$__interval])'
        mark = build.AnnotationQuery().name(name).datasource(source).enable(True).hide(False).icon_color(color)
        expression = f"sum by (project, environment, outcome) ({tried}) > 0"
        board = board.annotation(
            mark.expr(expression).title_format("{{project}} {{environment}}").text_format("{{outcome}}")
        )
    return str(JSONEncoder(sort_keys=True, indent=2).encode(board.build())) + "\n"


def check_dashboard(text: str) -> dict[str, Any]:
    """Parse a dashboard; its title and its panels' titles. Raises MonitoringError where it is no Grafana dashboard."""
    try:
        board = json.loads(text)
        titles = [panel["title"] for panel in board["panels"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MonitoringError(
            "The commit's grafana_dashboard.json is no dashboard: panels with titles are missing."
        ) from error
    return {"title": str(board.get("title", "")), "panels": titles}


def _on_time_range_change() -> Any:
    from grafana_foundation_sdk.models.dashboard import VariableRefresh

    return VariableRefresh.ON_TIME_RANGE_CHANGED


def _panel(number: int, spec: PanelSpec, source: Any) -> Any:
    from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries
    from grafana_foundation_sdk.models.common import GraphDrawStyle

    target = prometheus.Dataquery().ref_id("A").expr(spec.expression).legend_format(spec.legend)
    if spec.kind == "number":
        last = common.ReduceDataOptions().calcs(["lastNotNull"])
        panel: Any = stat.Panel().reduce_options(last).height(5)
    else:
        style = GraphDrawStyle.BARS if spec.kind == "bars" else GraphDrawStyle.LINE
        panel = timeseries.Panel().draw_style(style).fill_opacity(12).height(8)
    panel = panel.id(number).title(spec.title).description(spec.description).datasource(source)
    return panel.unit(spec.unit).span(spec.width).with_target(target)


def _alert_list(number: int) -> Any:
    """Of every source that Grafana knows, its own rules and Prometheus'.

    Not cut down to the chosen projects: the alerts of the service itself have no project, and would be left out.
    """
    from grafana_foundation_sdk.builders import dashboard as build

    shown = {"firing": True, "pending": True, "noData": False, "normal": False, "error": True, "recovering": True}
    options = {"viewMode": "list", "groupMode": "default", "groupBy": [], "maxItems": 50, "sortOrder": _BY_IMPORTANCE,
               "dashboardAlerts": False, "alertName": "", "alertInstanceLabelFilter": "", "showInstances": True,
               "stateFilter": shown}  # fmt: skip
    return build.Panel().type("alertlist").id(number).title(ALERTS).span(24).height(8).options(options)


if __name__ == "__main__":
    Path("configs/prometheus").mkdir(parents=True, exist_ok=True)
    Path("configs/prometheus/grafana_dashboard.json").write_text(build_dashboard(), "utf-8")
