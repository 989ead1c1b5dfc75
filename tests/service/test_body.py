"""Bodies of webhooks that nobody's forge sends: what they may cost, and that they end no process."""

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote_plus, unquote_to_bytes

import httpx
import pytest
from starlette.testclient import TestClient

from infraaudit_domain.errors import MalformedPushError
from infraaudit_domain.pushes import sign
from service import webhook
from service.body import IN_MEMORY, Body, read_json, unpack_form
from tests.service.conftest import SECRET

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GITEA = {"X-Gitea-Event": "push", "X-Gitea-Signature": "0"}
LARGE = b'"pad": "%s"' % (b"x" * IN_MEMORY)


def test_a_number_of_thousands_of_digits_is_malformed() -> None:
    # In a process of its own: a parser written in C ends the process that it crashes in.
    script = """
from service.body import IN_MEMORY, Body, MalformedPushError, read_json
body = Body()
body.write(b'{"pad": "%s", "n": %s}' % (b"x" * IN_MEMORY, b"9" * 5000))
try:
    read_json(body)
except MalformedPushError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "the body is not JSON in UTF-8\n"), done.stderr


@pytest.mark.parametrize("inner", [b'"n": 1e999', b'"n": "\xff"', b'"n": "\xed\xa0\x80"', b'"n": 1} x'])
def test_a_large_body_that_is_no_json_is_malformed(inner: bytes) -> None:
    with Body() as body:
        body.write(b"{" + LARGE + b", " + inner + b"}")
        with pytest.raises(MalformedPushError):
            read_json(body)


@pytest.mark.parametrize("row", [b"%", b"%4", b"%41", b"%e9a", b"%zz", b"+%2B"])
def test_a_form_of_escapes_is_unpacked(row: bytes) -> None:
    value = row * 70_000
    assert _unpacked(value) == unquote_to_bytes(value.replace(b"+", b" "))


def test_a_form_of_percent_signs_is_unpacked_in_little_time() -> None:
    value = b"%" * (2 << 20)
    began = time.process_time()
    assert _unpacked(value) == value
    assert time.process_time() - began < 0.7


def _unpacked(value: bytes) -> bytes:
    with Body() as form, Body() as payload:
        form.write(b"payload=" + value)
        unpack_form(form, payload)
        return b"".join(payload)


def test_a_form_is_unpacked_after_its_signature_unless_its_forge_signs_the_payload(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked: list[int] = []
    monkeypatch.setattr("service.webhook.unpack_form", lambda form, payload: unpacked.append(form.size))
    for headers in ({"X-GitHub-Event": "push", "X-Hub-Signature-256": "0"}, {"X-InfraAudit-Signature": "0"}):
        answer = client.post("/webhooks/shop", content=b"payload=%", headers=FORM | headers)
        assert (answer.status_code, unpacked) == (401, [])
    assert client.post("/webhooks/shop", content=b"payload=%", headers=FORM | GITEA).status_code == 401
    assert unpacked == [9]


def test_few_large_bodies_are_taken_at_a_time(served: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "BODY_SECONDS", 60.0)
    url, signed, large = f"http://127.0.0.1:{served}/webhooks/shop", {"X-InfraAudit-Signature": "0"}, b"x" * (2 << 20)

    def answer(body: bytes) -> httpx.Response:
        return httpx.post(url, content=body, headers=signed, timeout=30)

    def comes(status: int) -> bool:
        end = time.monotonic() + 20
        while (given := answer(large).status_code) != status and time.monotonic() < end:
            time.sleep(0.05)
        return given == status

    head = f"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\nX-InfraAudit-Signature: 0\r\nContent-Length: {3 << 20}\r\n\r\n"
    with ExitStack() as connections:
        for _ in range(3):
            one = connections.enter_context(socket.create_connection(("127.0.0.1", served)))
            one.sendall(head.encode() + large)
        assert comes(503)
        assert answer(large).headers["Retry-After"] == "30"
        assert answer(b"{}").status_code == 401, "a small one has a place"
    assert comes(401)


@pytest.mark.parametrize("sent", ["X-Gitlab-Event: Push Hook\r\nX-Gitlab-Token: wrong", "Authorization: Basic Ong="])
def test_the_body_of_a_wrong_token_or_password_is_not_waited_for(served: int, sent: str) -> None:
    head = f"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\n{sent}\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served), timeout=10) as connection:
        connection.sendall(head.encode())
        assert b" 401 " in connection.recv(200)


def test_a_large_body_is_kept_in_the_folder_that_it_is_given(tmp_path: Path) -> None:
    with Body(tmp_path) as body:
        body.write(LARGE)
        assert Path(os.readlink(f"/proc/self/fd/{body.stream().fileno()}")).parent == tmp_path
    assert not list(tmp_path.iterdir())


PUSH = b'{"ref": "refs/heads/main", "after": "%s"}' % (b"a" * 40)
ESCAPED = b"payload=" + b"".join(b"%%%02x" % byte for byte in PUSH)
SIGNED = sign(PUSH, SECRET)
SENT_BY = {
    "github": {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={SIGNED}", "X-GitHub-Delivery": "2"},
    "gitea": {"X-Gitea-Event": "push", "X-Gitea-Signature": SIGNED, "X-Gitea-Delivery": "3"},
    "plain": {"X-InfraAudit-Signature": SIGNED, "X-InfraAudit-Delivery": "4"},
}


@pytest.mark.parametrize(
    ("forge", "content", "status", "state"),
    [
        ("github", PUSH, 202, "replayed"),
        ("plain", PUSH, 202, "replayed"),
        ("gitea", b"payload=" + quote_plus(PUSH).encode(), 202, "replayed"),
        ("gitea", ESCAPED, 202, "replayed"),
        ("gitea", ESCAPED + b"&x=1", 202, "replayed"),
        ("github", ESCAPED, 401, None),
        ("plain", ESCAPED, 401, None),
    ],
)
def test_a_delivery_that_somebody_kept_is_no_new_push_however_it_is_sent(
    client: TestClient, forge: str, content: bytes, status: int, state: str | None
) -> None:
    first = SENT_BY["github"] | {"X-GitHub-Delivery": "1"}
    assert client.post("/webhooks/shop", content=PUSH, headers=first).json()["state"] == "stored"
    kind = FORM if content.startswith(b"payload=") else {}
    again = client.post("/webhooks/shop", content=content, headers=SENT_BY[forge] | kind)
    assert (again.status_code, again.json().get("state")) == (status, state)
