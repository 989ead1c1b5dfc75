"""Who may read and who may write, and the answers to both."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from infraaudit_domain.delivery.deployments import Deployment, Outcome
from resources.history import History
from resources.history.decisions.audit_log import log_rows
from service.app import ServiceOptions, build_app
from service.received import Received

PUSH = json.dumps({"ref": "refs/heads/main", "after": "a" * 40}).encode()
PATHS = ["/", "/projects/shop", "/metrics", "/sd", "/api/v1/openapi.json", "/api/v1/projects/shop/commits", "/nothing"]


def basic(token: str) -> str:
    return f"Basic {base64.b64encode(f'any:{token}'.encode()).decode()}"


@pytest.fixture
def closed(history: History, received: Received) -> TestClient:
    options = ServiceOptions(["shop"], read_tokens=["one", "two"], write_tokens=["pen"])
    return TestClient(build_app(history, options, received=received))


@pytest.mark.parametrize("path", PATHS)
def test_every_path_but_health_needs_a_token(closed: TestClient, path: str) -> None:
    assert closed.get("/healthz").status_code == 200
    refused = closed.get(path)
    assert refused.status_code == 401 and refused.headers["www-authenticate"].startswith("Bearer, Basic")
    assert refused.headers["content-security-policy"]
    for given in ("Bearer no", "Bearer ", "Bearer on", "one", basic("no"), "Basic ***", "Basic", "Digest one"):
        assert closed.get(path, headers={"Authorization": given}).status_code == 401, given
    for given in ("Bearer two", "bearer one", "Bearer pen", basic("one")):
        assert closed.get(path, headers={"Authorization": given}).status_code != 401, given


def test_only_a_write_token_stands_in_for_a_signature(closed: TestClient, history: History) -> None:
    for given in ("", "Bearer one", basic("pen"), "Bearer wrong"):
        assert closed.post("/webhooks/shop", content=PUSH, headers={"Authorization": given}).status_code == 401, given
    taken = closed.post("/webhooks/shop", content=PUSH, headers={"Authorization": "Bearer pen"})
    assert taken.status_code == 202, taken.text
    again = closed.post("/webhooks/shop", content=PUSH, headers={"Authorization": "Bearer pen"})
    assert again.json()["state"] == "known"
    _, rows = log_rows(history, "shop", act="push", most=9)
    (row,) = rows
    told = (row["actor"], row["via"], row["subject"], row["address"])
    assert told == ("a write token", "webhook", "main", "testclient")


def test_a_token_that_reads_cannot_use_another_method(closed: TestClient) -> None:
    assert closed.post("/projects/shop", headers={"Authorization": "Bearer one"}).status_code == 403
    assert closed.post("/projects/shop", headers={"Authorization": basic("one")}).status_code == 401
    assert closed.post("/projects/shop", headers={"Authorization": "Bearer pen"}).status_code == 405


def test_the_document_says_that_a_token_is_needed(closed: TestClient) -> None:
    document = closed.get("/api/v1/openapi.json", headers={"Authorization": "Bearer one"}).json()
    assert document["security"] == [{"token": []}]


def test_without_tokens_reading_is_open_and_writing_is_signed(client: TestClient) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.post("/webhooks/shop", content=PUSH).status_code == 401


def test_targets_are_what_is_live(client: TestClient) -> None:
    (group,) = client.get("/sd").json()
    assert group["targets"] == ["127.0.0.1:9"]
    assert group["labels"]["environment"] == "production"


def test_what_is_measured_is_a_target_before_it_is_live(client: TestClient, history: History) -> None:
    (live,) = client.get("/sd").json()
    now, sha = datetime.now(UTC), "e" * 40
    for url in (None, "http://127.0.0.1:9"):
        running = Deployment("shop", "production", sha, "x", Outcome.RUNNING, now, now, url=url)
        history.record_deployment(running)
        (group,) = client.get("/sd").json()
        assert group["targets"] == live["targets"] and group["labels"]["sha"] == (sha if url else live["labels"]["sha"])
    history.record_deployment(replace(running, url="http://127.0.0.1:10"))
    assert [group["targets"] for group in client.get("/sd").json()] == [["127.0.0.1:9"], ["127.0.0.1:10"]]
    history.record_deployment(replace(running, outcome=Outcome.ROLLED_BACK))
    assert client.get("/sd").json() == [live]
