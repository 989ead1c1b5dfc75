"""Dagster's UI behind the proxy that compose and Kubernetes ship, with the real webserver: no way past its login."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from tests.conftest import free_port, require

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("hostile-ui")]
PASSWORD = "a password of the test"
LOGIN = {"Authorization": "Basic " + base64.b64encode(f"ada:{PASSWORD}".encode()).decode()}
JSON = {"Content-Type": "application/json"}
QUERY = b'{"query": "{version}"}'
DEFINITIONS = """
import dagster as dg
commits = dg.DynamicPartitionsDefinition(name="commits")
@dg.asset(partitions_def=commits)
def built() -> None: ...
defs = dg.Definitions([built])
"""
ADD = 'mutation { addDynamicPartition(partitionKey: "%s", partitionsDefName: "commits", repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "defs.py"}) { __typename } }'


class Ui:
    def __init__(self, proxy: int, webserver: int) -> None:
        self.proxy, self.webserver = proxy, webserver

    def ask(
        self, headers: dict[str, str], body: bytes | None = QUERY, path: str = "/graphql", *, direct: bool = False
    ) -> int:
        port = self.webserver if direct else self.proxy
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    require("nginx")
    folder = tmp_path_factory.mktemp("ui")
    (folder / "defs.py").write_text(DEFINITIONS)
    found = Ui(free_port(), free_port())
    hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True).stdout
    environment = os.environ | {
        "DAGSTER_HOME": str(folder), "UI_USERS": f"ada:{hashed.strip()}", "UI_WORK": str(folder),
        "UI_CONFIG": str(ROOT / "configs/nginx/ui.conf"), "PATH": f"/usr/sbin:{os.environ['PATH']}",
        "INFRAAUDIT_DAGSTER_URL": f"http://127.0.0.1:{found.webserver}",
    }  # fmt: skip
    program = str(Path(sys.executable).with_name("dagster-webserver"))
    webserver = [program, "-f", "defs.py", "-h", "127.0.0.1", "-p", str(found.webserver)]
    proxy = [str(ROOT / "docker/ui-proxy.sh"), f"127.0.0.1:{found.proxy}"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(webserver, cwd=folder, env=environment, stdout=log, stderr=log) as one,
        subprocess.Popen(proxy, env=environment, stdout=log, stderr=log) as other,
    ):
        try:
            end = time.monotonic() + 90
            while time.monotonic() < end and not _answers(found):
                time.sleep(0.3)
            assert _answers(found), (folder / "log").read_text()[-2000:]
            yield found
        finally:
            one.terminate()
            other.terminate()


def _answers(found: Ui) -> bool:
    try:
        return found.ask(LOGIN | JSON) == 200
    except OSError:
        return False


def test_the_own_page_with_a_login_gets_in(ui: Ui) -> None:
    own = {"Origin": f"http://127.0.0.1:{ui.proxy}"}
    assert ui.ask(LOGIN | JSON | own) == 200
    assert ui.ask(LOGIN | JSON) == 200, "a program names no origin"
    assert ui.ask(LOGIN | {"Accept": "text/html"}, None, "/") == 200
    assert ui.ask({}, None, "/healthz") == 200


FOREIGN = {"Origin": "https://evil.example"}
CASES: dict[str, tuple[dict[str, str], int]] = {
    "no login": (JSON, 401),
    "a wrong password": (JSON | {"Authorization": "Basic YWRhOng="}, 401),
    "a text from a foreign page": (LOGIN | FOREIGN | {"Content-Type": "text/plain"}, 403),
    "JSON from a foreign page": (LOGIN | JSON | FOREIGN, 403),
    "a page without an origin": (LOGIN | JSON | {"Origin": "null"}, 403),
    "a name that begins alike": (LOGIN | JSON | {"Origin": "http://127.0.0.1:PORT.evil.example"}, 403),
    "another port": (LOGIN | JSON | {"Origin": "http://127.0.0.1:1"}, 403),
    "a form across sites": (LOGIN | JSON | {"Sec-Fetch-Site": "cross-site"}, 403),
    "a text": (LOGIN | {"Content-Type": "text/plain"}, 415),
    "a form": (LOGIN | {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "GraphQL as such": (LOGIN | {"Content-Type": "application/graphql"}, 415),
    "a text that says JSON": (LOGIN | {"Content-Type": "text/plain; application/json"}, 415),
}


@pytest.mark.parametrize("name", CASES)
def test_everything_else_is_refused(name: str, ui: Ui) -> None:
    headers, expected = CASES[name]
    named = {key: value.replace("PORT", str(ui.proxy)) for key, value in headers.items()}
    assert ui.ask(named) == expected


@pytest.mark.parametrize(
    "path", ["report_asset_materialization/built", "report_asset_check/built?check_name=a&passed=true"]
)
def test_an_event_is_reported_by_no_foreign_page(path: str, ui: Ui) -> None:
    assert ui.ask(LOGIN | FOREIGN | {"Content-Type": "text/plain"}, b"", f"/{path}") == 403
    assert ui.ask(LOGIN | {"Content-Type": "text/plain"}, b"", f"/{path}") == 415


def test_a_partition_is_added_by_the_webserver_alone_and_never_through_the_proxy(ui: Ui) -> None:
    """What a page of somebody else may send by itself, with the browser's stored password: a text, and a picture."""
    from urllib.parse import quote

    def partitions() -> list[str]:
        query = {"query": "{partitionSetsOrError: assetNodes {partitionKeys}}"}
        return _keys(ui, query)

    in_address = f"/graphql?query={quote(ADD % 'evil')}"
    assert ui.ask(LOGIN | FOREIGN | {"Content-Type": "text/plain"}, b"", in_address) == 403
    assert ui.ask(LOGIN | {"Accept": "image/*"}, None, in_address) == 405
    assert partitions() == []
    assert ui.ask(FOREIGN | {"Content-Type": "text/plain"}, b"", in_address, direct=True) == 200
    assert partitions() == ["evil"], "without the proxy that is all it takes"


def _keys(ui: Ui, query: dict[str, Any]) -> list[str]:
    request = urllib.request.Request(f"http://127.0.0.1:{ui.proxy}/graphql", json.dumps(query).encode(), LOGIN | JSON)
    with urllib.request.urlopen(request, timeout=30) as answer:
        (node,) = json.load(answer)["data"]["partitionSetsOrError"]
    return list(node["partitionKeys"])


def _upgrade(ui: Ui, origin: str, login: str = LOGIN["Authorization"]) -> bytes:
    words = [
        "GET /graphql HTTP/1.1", f"Host: 127.0.0.1:{ui.proxy}", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", f"Origin: {origin}",
        "Sec-WebSocket-Protocol: graphql-ws", f"Authorization: {login}", "", "",
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", ui.proxy), timeout=20) as stream:
        stream.sendall("\r\n".join(words).encode())
        return stream.recv(100)


def test_subscriptions_are_for_the_own_page(ui: Ui) -> None:
    assert b"101 Switching" in _upgrade(ui, f"http://127.0.0.1:{ui.proxy}")
    assert b"403 Forbidden" in _upgrade(ui, "https://evil.example")
    assert b"401 Unauthorized" in _upgrade(ui, f"http://127.0.0.1:{ui.proxy}", "Basic YWRhOng=")


def test_half_requests_keep_nobody_out(ui: Ui) -> None:
    from contextlib import ExitStack

    with ExitStack() as all_of_them:
        for _ in range(190):
            one = all_of_them.enter_context(socket.create_connection(("127.0.0.1", ui.proxy)))
            one.sendall(b"POST /graphql HTTP/1.1\r\nHost: a\r\nX-Half: ")
        assert ui.ask(LOGIN | JSON) == 200
