"""Provision a Grafana over its HTTP API: folder, dashboard, alert rules and annotations. Every call is idempotent.

Deliberately absent: a Grafana client library (the usual one replaces urllib3 beside Dagster), and the dashboard's
content (infraaudit/pages/grafana_dashboard.py). Redirects are not followed, so that the token goes to no other host.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from infraaudit_domain.errors import MonitoringError, excerpt

FOLDER = "infraaudit"
FOLDER_TITLE = "InfraAudit"
_SECONDS = 15


class Grafana:
    """One Grafana, with a service account token that may edit dashboards and alert rules."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self._token = url.rstrip("/"), token

    def ensure_folder(self, uid: str = FOLDER, title: str = FOLDER_TITLE) -> None:
        """Create the folder unless it exists. Raises MonitoringError."""
        if self._call("GET", f"/api/folders/{uid}", missing_is_good=True) is None:
            self._call("POST", "/api/folders", {"uid": uid, "title": title})

    def prometheus_source(self) -> str:
        """The uid of the Prometheus data source, the default one where there are several. Raises MonitoringError."""
        sources = [source for source in self._call("GET", "/api/datasources") if source["type"] == "prometheus"]
        if not sources:
            raise MonitoringError(f"Grafana at {self.url} has no Prometheus data source: add one, then run this again.")
        return str(max(sources, key=lambda source: bool(source.get("isDefault")))["uid"])

    def put_dashboard(self, dashboard: str, message: str) -> str:
        """Store a dashboard under its own uid, replacing what is there; returns its address. Raises MonitoringError."""
        board = json.loads(dashboard) | {"id": None}
        body = {"dashboard": board, "folderUid": FOLDER, "overwrite": True, "message": message}
        answer = self._call("POST", "/api/dashboards/db", body) or {}
        return f"{self.url}{answer.get('url', '')}"

    def put_alert_rules(self, group: str, seconds: int, rules: Sequence[Mapping[str, Any]]) -> None:
        """Replace a group of alert rules. Raises MonitoringError."""
        body = {"title": group, "folderUid": FOLDER, "interval": seconds, "rules": list(rules)}
        path = f"/api/v1/provisioning/folder/{FOLDER}/rule-groups/{group}"
        # Without this header Grafana makes what was provisioned read-only in its UI.
        self._call("PUT", path, body, {"X-Disable-Provenance": "true"})

    def annotate(self, milliseconds: int, text: str, tags: Sequence[str]) -> None:
        """Add an annotation once: one with the same tags at the same time is left alone. Raises MonitoringError."""
        query = {"from": str(milliseconds), "to": str(milliseconds + 1), "tags": list(tags), "limit": "1"}
        if not self._call("GET", "/api/annotations", query=query):
            self._call("POST", "/api/annotations", {"time": milliseconds, "text": text, "tags": list(tags)})

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        missing_is_good: bool = False,
    ) -> Any:
        import httpx

        sent = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"} | dict(headers or {})
        try:
            answer = httpx.request(method, f"{self.url}{path}", json=body, headers=sent, params=query, timeout=_SECONDS)
            if missing_is_good and answer.status_code == 404:
                return None
            if not answer.is_success:
                raise MonitoringError(
                    f"Grafana refused {method} {path}: {answer.status_code} {excerpt(answer.text, 200)}"
                )
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise MonitoringError(f"Grafana at {self.url} does not answer: {excerpt(str(error), 200)}") from error
