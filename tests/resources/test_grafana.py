"""The Grafana client against a stand-in that answers and refuses as Grafana's published HTTP API says."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from infraaudit_assets.domain.errors import MonitoringError
from resources.dashboards import build_dashboard
from resources.grafana import Grafana


class StandIn(HTTPServer):
    """Folders, dashboards, rule groups and annotations in memory."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folders: dict[str, Any] = {}
        self.dashboards: dict[str, Any] = {}
        self.groups: dict[str, Any] = {}
        self.annotations: list[Any] = []


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
            case ("PUT", "/api/v1/provisioning/folder/infraaudit/rule-groups/delivery"):
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
    thread = Thread(target=stand_in.serve_forever)
    thread.start()
    yield stand_in
    stand_in.shutdown()
    thread.join()


def test_provisioning_again_changes_nothing(server: StandIn) -> None:
    grafana = Grafana(f"http://127.0.0.1:{server.server_port}/", "token")
    for _ in range(2):
        grafana.ensure_folder()
        url = grafana.put_dashboard(build_dashboard(), "commit a")
        grafana.put_alert_rules("delivery", 60, [])
        grafana.annotate(1_700_000_000_000, "deployed a", ["infraaudit", "shop"])
    assert url.endswith("/d/infraaudit/x")
    assert (len(server.folders), len(server.dashboards), len(server.groups), len(server.annotations)) == (1, 1, 1, 1)
    assert server.dashboards["infraaudit"]["id"] is None


def test_what_grafana_refuses_is_said(server: StandIn) -> None:
    with pytest.raises(MonitoringError, match="401.*Invalid API key"):
        Grafana(f"http://127.0.0.1:{server.server_port}", "wrong").ensure_folder()
    with pytest.raises(MonitoringError, match="does not answer"):
        Grafana("http://127.0.0.1:9", "token").ensure_folder()
