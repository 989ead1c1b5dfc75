"""The Grafana client against a stand-in that answers and refuses as Grafana's published HTTP API says."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from infraaudit.pages.grafana_dashboard import build_dashboard
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.errors import MonitoringError
from resources.grafana.client import Grafana
from resources.grafana.provisioning import provision
from tests import ROOT

RULES = ROOT / "configs" / "prometheus" / "rules.yml"
NOW = datetime.now(UTC)
TRIED = [
    Deployment("shop", "production", letter * 40, "c", outcome, NOW, NOW + timedelta(seconds=n))
    for n, (letter, outcome) in enumerate((("a", Outcome.DEPLOYED), ("b", Outcome.ROLLED_BACK)))
]


class StandIn(HTTPServer):
    """Folders, dashboards, rule groups and annotations in memory."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folders: dict[str, Any] = {}
        self.dashboards: dict[str, Any] = {}
        self.groups: dict[str, Any] = {}
        self.annotations: list[Any] = []
        self.sources = ["p1", "p2"]


def _faults_of(rule: dict[str, Any]) -> str:
    """What Grafana's ProvisionedAlertRule asks for."""
    needed = {"uid", "title", "condition", "data", "noDataState", "execErrState", "for"}
    refs = {query["refId"] for query in rule["data"]}
    if missing := needed - rule.keys():
        return f"missing {missing}"
    if len(rule["uid"]) > 40 or rule["condition"] not in refs or not re.fullmatch(r"\d+[smhd]", rule["for"]):
        return "uid, condition or for"
    return "" if all(q["datasourceUid"] and q["relativeTimeRange"] and q["model"] for q in rule["data"]) else "data"


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def answer(self) -> tuple[int, Any]:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        store = self.server
        if self.headers["Authorization"] != "Bearer token":
            return 401, {"message": "Invalid API key"}
        match (self.command, path):
            case ("GET", "/api/folders/infraaudit"):
                return (200, store.folders["infraaudit"]) if store.folders else (404, {"message": "folder not found"})
            case ("POST", "/api/folders"):
                if body["uid"] in store.folders:
                    return 409, {"message": "the folder has been changed by someone else"}
                store.folders[body["uid"]] = body
                return 200, body
            case ("POST", "/api/dashboards/db"):
                if body["folderUid"] not in store.folders:
                    return 400, {"message": "folder not found"}
                uid = body["dashboard"]["uid"]
                if uid in store.dashboards and not body["overwrite"]:
                    return 412, {"status": "version-mismatch"}
                store.dashboards[uid] = body["dashboard"]
                return 200, {"uid": uid, "url": f"/d/{uid}/x", "status": "success"}
            case ("GET", "/api/datasources"):
                return 200, [
                    {"uid": "l", "type": "loki"},
                    *({"uid": uid, "type": "prometheus", "isDefault": uid == "p2"} for uid in store.sources),
                ]
            case ("PUT", "/api/v1/provisioning/folder/infraaudit/rule-groups/infraaudit"):
                for rule in body["rules"]:
                    if wrong := _faults_of(rule):
                        return 400, {"message": f"invalid alert rule: {wrong}"}
                store.groups[body["title"]] = body
                return 200, body
            case ("GET", "/api/annotations"):
                low, high = int(query["from"][0]), int(query["to"][0])
                tags = set(query["tags"])
                return 200, [a for a in store.annotations if low <= a["time"] <= high and tags <= set(a["tags"])]
            case ("POST", "/api/annotations"):
                store.annotations.append(body)
                return 200, {"message": "Annotation added"}
        return 404, {"message": "not found"}

    def do_GET(self) -> None:
        status, body = self.answer()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    do_POST = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[StandIn]:
    stand_in = StandIn()
    thread = Thread(target=stand_in.serve_forever, args=(0.01,))
    thread.start()
    yield stand_in
    stand_in.shutdown()
    thread.join()


def test_provisioning_again_changes_nothing(server: StandIn) -> None:
    grafana = Grafana(f"http://127.0.0.1:{server.server_port}/", "token")
    for _ in range(2):
        addresses = provision(grafana, "shop", build_dashboard(), '{"uid": "infraaudit", "panels": []}', RULES, TRIED)
    assert [address.rpartition("/d/")[2] for address in addresses] == ["infraaudit/x", "infraaudit-shop/x"]
    # The commit's dashboard has the uid of the generated one, and is still stored beside it.
    assert set(server.dashboards) == {"infraaudit", "infraaudit-shop"} and server.dashboards["infraaudit"]["panels"]
    assert [one["text"] for one in server.annotations] == [
        f"shop {'a' * 12} deployed in production", f"shop {'b' * 12} rolled back in production",
    ]  # fmt: skip
    rules = server.groups["infraaudit"]["rules"]
    assert len(rules) == len({rule["uid"] for rule in rules}) >= 10
    assert {query["datasourceUid"] for rule in rules for query in rule["data"]} == {"p2", "__expr__"}
    # None of them uses a recording rule of Prometheus, or its syntax for a value.
    assert "project:infraaudit" not in str(rules) and "$value " not in str(rules)


def test_a_grafana_without_prometheus_is_distinguished(server: StandIn) -> None:
    server.sources = []
    grafana = Grafana(f"http://127.0.0.1:{server.server_port}/", "token")
    with pytest.raises(MonitoringError, match="has no Prometheus data source"):
        provision(grafana, "shop", build_dashboard(), None, RULES, TRIED)


def test_what_grafana_refuses_is_said(server: StandIn) -> None:
    with pytest.raises(MonitoringError, match="401.*Invalid API key"):
        Grafana(f"http://127.0.0.1:{server.server_port}", "wrong").ensure_folder()
    with pytest.raises(MonitoringError, match="does not answer"):
        Grafana("http://127.0.0.1:9", "token").ensure_folder()
