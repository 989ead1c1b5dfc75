"""Pushing to a stand-in that holds requests to Loki's published API, as nothing here can run Loki itself.

https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
"""

import http.server
import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infraaudit_domain.errors import ConfigurationError, MonitoringError
from resources.logs.loki import TRIES, Loki, push_body, ship
from resources.logs.store import LogStore
from resources.targets.target import LogLine

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class StandIn:
    """Takes pushes as Loki does: refuses another shape, and keeps each (stream, time, text) once."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.entries: dict[tuple[str, str, str], dict[str, str]] = {}
        self.tenants: set[str | None] = set()
        self.requests = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests += 1
                outer.tenants.add(self.headers.get("X-Scope-OrgID"))
                status, words = outer.answers.pop(0) if outer.answers else 204, ""
                if self.path != "/loki/api/v1/push" or self.headers["Content-Type"] != "application/json":
                    status = 404
                elif status == 204 and (words := outer.take(json.loads(body))):
                    status = 400
                self.send_response(status)
                self.send_header("Content-Length", str(len(words)))
                self.end_headers()
                self.wfile.write(words.encode())

            def log_message(self, *words: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, body: dict[str, Any]) -> str:
        for stream in body["streams"]:
            if set(stream) != {"stream", "values"} or not stream["stream"]:
                return "a stream has labels and values"
            for name, value in stream["stream"].items():
                if not re.fullmatch(r"[a-zA-Z_]\w*", name) or not isinstance(value, str):
                    return f"label {name}"
            for moment, text, metadata in stream["values"]:
                if not re.fullmatch(r"\d{19}", moment) or not isinstance(text, str):
                    return f"time {moment}"
                if not all(isinstance(value, str) for value in metadata.values()):
                    return "metadata must be texts"
                self.entries[json.dumps(stream["stream"], sort_keys=True), moment, text] = metadata
        return ""


@pytest.fixture
def loki() -> Iterator[StandIn]:
    found = StandIn()
    yield found
    found.server.shutdown()


def line(seconds: float, text: str, pod: str = "a") -> LogLine:
    return LogLine(NOON + timedelta(seconds=seconds), "web", text, pod, "c1")


def test_every_kept_line_is_sent_once_with_few_labels(loki: StandIn, tmp_path: Path) -> None:
    store, target = LogStore(tmp_path), Loki(loki.url, "team-a")
    store.append("production", [line(n, f"line {n}", pod=f"pod-{n % 7}") for n in range(2500)])
    assert ship(store, "shop", "production", target) == (2500, "")
    assert (len(loki.entries), loki.requests, loki.tenants) == (2500, 3, {"team-a"})
    assert {labels for labels, _, _ in loki.entries} == {
        '{"container": "web", "environment": "production", "level": "info", "project": "shop"}'
    }
    assert loki.entries[next(iter(loki.entries))] == {"commit": "c1", "pod": "pod-0"}
    assert next(moment for _, moment, text in loki.entries if text == "line 1") == "1772366401000000000"
    store.append("production", [line(3000, "error: disk")])
    assert ship(store, "shop", "production", target) == (1, "")
    assert ship(store, "shop", "production", target) == (0, "")
    assert loki.requests == 4


def test_what_could_not_be_sent_is_sent_the_next_time(loki: StandIn, tmp_path: Path) -> None:
    store, target = LogStore(tmp_path), Loki(loki.url, pause=0.01)
    store.append("production", [line(1, "one")])
    loki.answers = [503, 429, 204]
    assert ship(store, "shop", "production", target) == (1, "")
    store.append("production", [line(2, "two")])
    loki.answers = [503] * TRIES
    with pytest.raises(MonitoringError, match="Loki answers 503"):
        ship(store, "shop", "production", target)
    loki.answers = [401]
    with pytest.raises(ConfigurationError, match="INFRAAUDIT_LOKI_URL"):
        ship(store, "shop", "production", target)
    assert ship(store, "shop", "production", target) == (1, "")
    assert [text for _, _, text in loki.entries] == ["one", "two"]
    gone = Loki("http://127.0.0.1:1", pause=0.01)
    store.append("production", [line(3, "three")])
    with pytest.raises(MonitoringError, match="does not answer"):
        ship(store, "shop", "production", gone)


def test_what_loki_refuses_does_not_block_what_comes_after(loki: StandIn, tmp_path: Path) -> None:
    store, target = LogStore(tmp_path), Loki(loki.url)
    store.append("production", [line(1, "one")])
    loki.answers = [400]
    assert ship(store, "shop", "production", target)[0] == 1
    with store.file("production").open("ab") as stream:
        stream.write(b'{"half')
    store.append("production", [line(2, "two")])
    assert ship(store, "shop", "production", target)[0] == 1
    assert [text for _, _, text in loki.entries] == ["two"]


def test_lines_of_a_stream_are_in_the_order_of_time() -> None:
    rows = [
        {"time": f"2026-03-01T12:00:0{n}.000000+00:00", "commit": "c", "pod": "p", "container": "web", "level": "info",
         "text": str(n)}
        for n in (2, 1)
    ]  # fmt: skip
    (stream,) = push_body("shop", "production", rows)["streams"]
    assert [text for _, text, _ in stream["values"]] == ["1", "2"]
