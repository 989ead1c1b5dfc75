"""Provision everything of a project in Grafana: folder, dashboards, alert rules and marks. Idempotent.

A commit's own dashboard is stored under a uid that we choose: its own could replace any other dashboard.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from infraaudit_domain.delivery.deployments import Deployment, Outcome
from resources.grafana.alerts import EVERY_SECONDS, read_alert_rules
from resources.grafana.client import Grafana

_VERBS = {
    Outcome.DEPLOYED: "deployed",
    Outcome.ROLLED_BACK: "rolled back",
    Outcome.DEGRADED: "degraded: its rollback failed too",
    Outcome.FAILED: "not deployed",
}


def provision(
    grafana: Grafana, project: str, generated: str, own: str | None, rules: Path, tried: Sequence[Deployment]
) -> list[str]:
    """Bring a Grafana up to date; returns the addresses of the dashboards. Raises MonitoringError."""
    grafana.ensure_folder()
    source = grafana.prometheus_source()
    addresses = [grafana.put_dashboard(generated, f"InfraAudit, with a commit of {project}")]
    if own:
        named = json.loads(own) | {
            "uid": f"infraaudit-{project}"[:40],
            "title": f"{project}: the commit's own dashboard",
        }
        addresses.append(grafana.put_dashboard(json.dumps(named), f"of {project}"))
    grafana.put_alert_rules("infraaudit", EVERY_SECONDS, read_alert_rules(rules, source))
    for done in tried:
        said = f"{done.project} {done.sha[:12]} {_VERBS.get(done.outcome, done.outcome.value)} in {done.environment}"
        moment = int(done.finished_at.timestamp() * 1000)
        grafana.annotate(moment, said, ["infraaudit", done.project, done.environment, done.outcome.value])
    return addresses
