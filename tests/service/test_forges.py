"""Real payloads of the forges over real HTTP: what is read from them, and that nothing else is accepted."""

import asyncio
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.testclient import TestClient

from resources.history import History
from resources.history.pushes import waiting_pushes
from service import webhook
from service.app import ServiceOptions, build_app
from service.received import Received
from tests.service.conftest import SECRET

PAYLOADS = Path(__file__).parent / "payloads"
EXAMPLES = [
    pytest.param(path.stem, example, id=f"{path.stem}-{number}-{example['event']}")
    for path in sorted(PAYLOADS.glob("*.json"))
    for number, example in enumerate(json.loads(path.read_text()))
]


def headers(forge: str, event: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The headers of a forge, as it sends them."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "github": {"X-GitHub-Event": event, "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
                   "X-Hub-Signature-256": f"sha256={digest}", "User-Agent": "GitHub-Hookshot/044aadd"},
        "gitea": {"X-Gitea-Event": event, "X-Gitea-Delivery": "f6266f16-1bf3-46a5-9ea4-602e06ead473", "X-Gitea-Signature": digest,
                  "X-GitHub-Event": event, "X-GitHub-Delivery": "f6266f16", "X-Hub-Signature-256": f"sha256={digest}"},
        "gitlab": {"X-Gitlab-Event": event, "X-Gitlab-Token": secret, "X-Gitlab-Event-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e"},
        "bitbucket": {"X-Event-Key": event, "X-Request-UUID": "cd5b9b4e", "X-Hub-Signature": f"sha256={digest}"},
    }[forge]  # fmt: skip


@pytest.mark.parametrize(("forge", "example"), EXAMPLES)
def test_a_payload_of_a_forge_is_read(
    client: TestClient, received: Received, history: History, forge: str, example: dict[str, Any]
) -> None:
    body = json.dumps(example["payload"]).encode()
    answer = client.post("/webhooks/shop", content=body, headers=headers(forge, example["event"], body))
    assert answer.status_code == (202 if example["pushes"] else 200), answer.text
    assert example["pushes"] or answer.json()["reason"]
    received.move_to(history)
    stored = waiting_pushes(history, "shop")
    assert sorted([d.branch, d.before, d.after] for d in stored) == sorted(example["pushes"])
    assert {push.forge for push in stored} <= {forge}


@pytest.mark.parametrize(("forge", "example"), EXAMPLES)
def test_the_same_payload_with_one_bit_changed_is_refused(
    client: TestClient, received: Received, history: History, forge: str, example: dict[str, Any]
) -> None:
    body = json.dumps(example["payload"]).encode()
    given = headers(forge, example["event"], body, "another secret")
    assert client.post("/webhooks/shop", content=body, headers=given).status_code == 401
    if forge != "gitlab":
        given = headers(forge, example["event"], body)
        assert client.post("/webhooks/shop", content=body + b" ", headers=given).status_code == 401
    assert received.move_to(history) == 0


@pytest.fixture
def served(history: History, received: Received, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The service behind a real socket; its port."""
    monkeypatch.setattr(webhook, "BODY_SECONDS", 1.0)
    app = build_app(history, ServiceOptions(["shop"], {"shop": [SECRET]}), received=received)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=asyncio.run, args=(server.serve(),), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join(10)


def test_bodies_that_drip_end_and_hold_up_nobody(served: int, received: Received, history: History) -> None:
    body = json.dumps({"ref": "refs/heads/main", "after": "a" * 40}).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    head = f"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\nX-InfraAudit-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    dripping = [socket.create_connection(("127.0.0.1", served)) for _ in range(20)]
    for connection in dripping:
        connection.sendall(head.encode() + body[:5])
    url = f"http://127.0.0.1:{served}/webhooks/shop"
    assert httpx.post(url, content=body, headers={"X-InfraAudit-Signature": signature}).status_code == 202
    assert received.move_to(history) == 1
    for connection in dripping:
        connection.settimeout(20)
        assert b" 408 " in connection.recv(200)
        connection.close()
    assert received.move_to(history) == 0


def test_a_truncated_body_stores_nothing(served: int, received: Received, history: History) -> None:
    head = "POST /webhooks/shop HTTP/1.1\r\nHost: x\r\nX-InfraAudit-Signature: 00\r\nContent-Length: 500\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served)) as connection:
        connection.sendall(head.encode() + b'{"ref":')
    assert httpx.get(f"http://127.0.0.1:{served}/healthz").status_code == 200
    assert received.move_to(history) == 0


def test_without_a_signature_the_body_is_not_waited_for(served: int) -> None:
    head = "POST /webhooks/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served), timeout=10) as connection:
        connection.sendall(head.encode())
        assert b" 401 " in connection.recv(200)


def test_a_refusal_is_logged_once_and_counted(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    given = {"X-InfraAudit-Signature": "no"}
    assert client.post("/webhooks/shop", content=b"{}", headers=given).status_code == 401
    assert [record.getMessage() for record in caplog.records if record.name == "infraaudit.webhook"] == [
        "Webhook of shop refused: the signature is missing or wrong"
    ]
    assert 'infraaudit_webhook_rejected_total{reason="signature"} 1.0' in client.get("/metrics").text
