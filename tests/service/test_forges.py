"""Real payloads of the forges over real HTTP: what is read from them, and that nothing else is accepted."""

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any
from unittest.mock import patch
from urllib.parse import quote_plus

import httpx
import pytest
from starlette.testclient import TestClient

from infraaudit_domain.pushes import sign
from resources.history import History
from resources.history.pushes import waiting_pushes
from service.body import Body, read_json, unpack_form
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


A, B, NONE = "a" * 40, "b" * 40, "0" * 40
PUSH = {"ref": "refs/heads/main", "before": B, "after": A}
SYSTEM = PUSH | {"event_name": "push", "object_kind": "push"}
DATA_CENTER = {
    "eventKey": "repo:refs_changed",
    "changes": [
        {"ref": {"id": "refs/heads/main", "displayId": "main", "type": "BRANCH"}, "refId": "refs/heads/main",
         "fromHash": B, "toHash": A, "type": "UPDATE"},
        {"ref": {"id": "refs/tags/v1", "displayId": "v1", "type": "TAG"}, "fromHash": NONE, "toHash": A, "type": "ADD"},
        {"ref": {"id": "refs/heads/old"}, "fromHash": B, "toHash": NONE, "type": "DELETE"},
    ],
}  # fmt: skip
AZURE = {
    "eventType": "git.push",
    "resource": {"refUpdates": [{"name": "refs/heads/main", "oldObjectId": B, "newObjectId": A},
                                {"name": "refs/tags/v1", "oldObjectId": NONE, "newObjectId": A}]},
}  # fmt: skip


def sent(
    client: TestClient, payload: Any, form: bool = False, signed: bytes | None = None, **extra: str
) -> httpx.Response:
    body = json.dumps(payload).encode()
    content = b"payload=" + quote_plus(body).encode() if form else body
    digest = hmac.new(SECRET.encode(), signed or content, hashlib.sha256).hexdigest()
    words = {name: value.replace("DIGEST", digest) for name, value in extra.items()}
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    return client.post("/webhooks/shop", content=content, headers={"Content-Type": kind} | words)


GITHUB = {"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=DIGEST"}
OF_DATA_CENTER = {"X-Event-Key": "repo:refs_changed", "X-Request-Id": "1", "X-Hub-Signature": "sha256=DIGEST"}
BASIC = "Basic " + base64.b64encode(f"azure:{SECRET}".encode()).decode()


@pytest.mark.parametrize(
    ("payload", "how"),
    [
        (PUSH, GITHUB | {"form": True}),
        (PUSH, {"X-Gitea-Event": "push", "X-Gitea-Signature": "DIGEST", "form": True, "signed": json.dumps(PUSH).encode()}),
        (PUSH, {"X-Forgejo-Event": "push", "X-Forgejo-Signature": "DIGEST"}),
        (SYSTEM, {"X-Gitlab-Event": "System Hook", "X-Gitlab-Token": SECRET}),
        (DATA_CENTER, OF_DATA_CENTER),
        (AZURE, {"Authorization": BASIC}),
        (PUSH | {"commits": [{"id": A, "message": "x & y = 100 % + 'ü' " * 50}] * 1300}, GITHUB),
        (PUSH | {"commits": [{"id": A, "message": "x & y = 100 % + 'ü' " * 50}] * 1300}, GITHUB | {"form": True}),
        ({"commits": [{"ref": "refs/heads/evil", "after": B}] * 40_000} | PUSH, GITHUB),
    ],
)  # fmt: skip
def test_each_way_in_which_forges_send_a_push(
    client: TestClient, received: Received, history: History, payload: Any, how: dict[str, Any]
) -> None:
    answer = sent(client, payload, **how)
    assert (answer.status_code, answer.json().get("state")) == (202, "stored"), answer.text[:300]
    received.move_to(history)
    (push,) = waiting_pushes(history, "shop")
    assert (push.branch, push.before, push.after) == ("main", B, A)


@pytest.mark.parametrize(
    ("payload", "status", "how"),
    [
        (SYSTEM | {"event_name": "project_create"}, 200, {"X-Gitlab-Event": "System Hook", "X-Gitlab-Token": SECRET}),
        ({"test": True}, 200, OF_DATA_CENTER | {"X-Event-Key": "diagnostics:ping"}),
        (AZURE | {"eventType": "workitem.created"}, 200, {"Authorization": BASIC}),
        (AZURE, 401, {"Authorization": "Basic " + base64.b64encode(b"azure:other").decode()}),
        (AZURE, 401, {"Authorization": "Basic ?"}),
        (AZURE | {"resource": {}}, 400, {"Authorization": BASIC}),
        (PUSH, 401, GITHUB | {"form": True, "signed": b"something else"}),
        (PUSH | {"x": ["y" * 100] * 12_000, "after": "HEAD"}, 400, GITHUB),
        (PUSH | {"x": json.loads("[" * 70 + "]" * 70), "y": ["y" * 100] * 12_000}, 400, GITHUB),
    ],
)  # fmt: skip
def test_what_is_no_push_or_not_authentic_is_refused_however_it_is_sent(
    client: TestClient, received: Received, history: History, payload: Any, status: int, how: dict[str, Any]
) -> None:
    answer = sent(client, payload, **how)
    assert answer.status_code == status, answer.text
    assert answer.json().get("reason") or answer.json().get("error")
    received.move_to(history)
    assert not waiting_pushes(history, "shop")


def test_a_body_of_25_megabytes_is_read_in_bounded_memory_and_a_larger_one_refused(client: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"ref": "refs/heads/main", "commits": ['
        for _ in range(230):
            yield (
                b'{"message": "'
                + b"m" * 1000
                + b'", "added": ["a"]},'
                + b'{"id": "%s", "modified": ["src/a/b/c.py"]},' % (b"a" * 80) * 900
            )
        yield b'{}], "after": "' + A.encode() + b'"}'

    with Body() as body:
        for part in parts():
            body.write(part)
        assert body.size > 25_000_000
        before = getrusage(RUSAGE_SELF).ru_maxrss
        signature = sign(body, SECRET)
        assert read_json(body) == {"ref": "refs/heads/main", "after": A}
        grown = getrusage(RUSAGE_SELF).ru_maxrss - before
    assert len(signature) == 64 and grown < 8 << 10, "in kilobytes"
    announced = {"X-InfraAudit-Signature": "0", "Content-Length": str(26 << 20)}
    assert client.post("/webhooks/shop", content=b"", headers=announced).status_code == 413


@pytest.mark.parametrize("size", [1, 2, 3, 7, 65536])
def test_a_form_is_unpacked_wherever_its_parts_end(size: int) -> None:
    text = "{'a': '50 % + 1 & ü'}" * 10
    content = b"payload=" + quote_plus(text).encode() + b"&other=1"
    with Body() as form, Body() as payload:
        form.write(content)
        with patch("service.body._CHUNK", size):
            unpack_form(form, payload)
        assert b"".join(payload).decode() == text


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


def test_a_password_that_is_not_ascii_is_refused(client: TestClient) -> None:
    assert client.post("/webhooks/shop", json=AZURE, headers={b"Authorization": b"Basic \xe9"}).status_code == 401


def test_a_refusal_is_logged_once_and_counted(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    given = {"X-InfraAudit-Signature": "no"}
    assert client.post("/webhooks/shop", content=b"{}", headers=given).status_code == 401
    assert [record.getMessage() for record in caplog.records if record.name == "infraaudit.webhook"] == [
        "Webhook of shop refused: the signature is missing or wrong"
    ]
    assert 'infraaudit_webhook_rejected_total{reason="signature"} 1.0' in client.get("/metrics").text
