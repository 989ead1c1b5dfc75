"""The files that a Grafana reads at its start: data sources, dashboards, alert rules, contact points, policies.

``python -m resources.grafana.files`` writes configs/grafana. The rules are those that go over the API (alerts.py), so
that a Grafana gets them by one of the two ways. Addresses are variables of Grafana's own environment. Deliberately
absent: the dashboard (infraaudit/pages/grafana_dashboard.py).
"""

from pathlib import Path
from typing import Any

import yaml

from resources.grafana.alerts import EVERY_SECONDS, read_alert_rules
from resources.grafana.client import FOLDER_TITLE

NAME = "infraaudit"
DATASOURCE = "prometheus"
"""The uid of the Prometheus data source, which rules name."""
DASHBOARDS = "/etc/grafana/dashboards"
"""Where Grafana finds the dashboard of configs/prometheus."""
_SHORT = "1m"
"""Grafana sends an alert without an end: after five minutes without it (resolve_timeout) Alertmanager takes it as over."""
_HEAD = "# {}\n# Generated from configs/prometheus/rules.yml and the code: python -m resources.grafana.files\n"


def provisioning_files(rules: Path) -> dict[str, str]:
    """The text of each file, by its path below configs/grafana. Raises ConfigurationError where the rules are wrong."""
    return {
        "datasources/infraaudit.yaml": _text("Data sources, in provisioning/datasources.", datasources=_datasources()),
        "dashboards/infraaudit.yaml": _text("Where the dashboard is, in provisioning/dashboards.", providers=_providers()),
        "alerting/rules.yaml": _text("Alert rules, in provisioning/alerting.", groups=[_group(rules)]),
        "alerting/contact-points.yaml": _text(
            "Who is notified, in provisioning/alerting: a webhook, INFRAAUDIT_ALERT_URL of Grafana's environment.",
            contactPoints=[_contact("webhook", {"url": "$INFRAAUDIT_ALERT_URL", "httpMethod": "POST"})],
        ),
        "alerting/policies.yaml": _text(
            "Which alert goes where, in provisioning/alerting. It replaces the whole tree of policies of a Grafana.",
            policies=[_policy()],
        ),
        "with-alertmanager/policies.yaml": _text(
            "Instead of alerting/policies.yaml where an Alertmanager notifies. It replaces the whole tree of policies too.",
            policies=[_policy() | {"group_interval": _SHORT, "repeat_interval": _SHORT}],
        ),
        "with-alertmanager/contact-points.yaml": _text(
            "Instead of alerting/contact-points.yaml where an Alertmanager notifies: INFRAAUDIT_ALERTMANAGER_URL.",
            contactPoints=[_contact("prometheus-alertmanager", {"url": "$INFRAAUDIT_ALERTMANAGER_URL"})],
        ),
    }  # fmt: skip


def _text(head: str, **content: list[dict[str, Any]]) -> str:
    body = yaml.safe_dump({"apiVersion": 1} | content, sort_keys=False, allow_unicode=True, width=120)
    return _HEAD.format(head) + str(body)


def _datasources() -> list[dict[str, Any]]:
    common = {"access": "proxy"}
    prometheus = {"name": "Prometheus", "type": "prometheus", "uid": DATASOURCE, "url": "$INFRAAUDIT_PROMETHEUS_URL"}
    # Its alerts are shown, and silenced, under Alerting.
    alertmanager = {"name": "Alertmanager", "type": "alertmanager", "uid": "alertmanager",
                    "url": "$INFRAAUDIT_ALERTMANAGER_URL", "jsonData": {"implementation": "prometheus"}}  # fmt: skip
    return [prometheus | common | {"isDefault": True}, alertmanager | common]


def _providers() -> list[dict[str, Any]]:
    return [{"name": "InfraAudit", "type": "file", "allowUiUpdates": False, "options": {"path": DASHBOARDS}}]


def _group(rules: Path) -> dict[str, Any]:
    given = read_alert_rules(rules, DATASOURCE)
    return {"orgId": 1, "name": NAME, "folder": FOLDER_TITLE, "interval": f"{EVERY_SECONDS}s", "rules": given}


def _contact(kind: str, settings: dict[str, str]) -> dict[str, Any]:
    receiver = {"uid": f"{NAME}-{kind}", "type": kind, "settings": settings, "disableResolveMessage": False}
    return {"orgId": 1, "name": NAME, "receivers": [receiver]}


def _policy() -> dict[str, Any]:
    """Grouped and repeated as configs/prometheus/alertmanager.yml does."""
    return {
        "orgId": 1,
        "receiver": NAME,
        "group_by": ["alertname", "project"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "12h",
    }


if __name__ == "__main__":
    for name, text in provisioning_files(Path("configs/prometheus/rules.yml")).items():
        path = Path("configs/grafana") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
