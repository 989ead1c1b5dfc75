"""The service over real sockets: others are served while somebody sends half requests, and a replay starts nothing."""

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from resources.history import History
from resources.history.pushes import waiting_pushes
from resources.machine.inbox import Inbox
from service.app import ServiceOptions, build_app
from service.connections import ConnectionLimits, limited_protocol
from service.received import Received
from tests.conftest import free_port
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.e2e  # It waits for limits of time.
SECRET = "a secret of the forge"
LIMITS = ConnectionLimits(head_seconds=2, body_seconds=3, stalled_seconds=2, grace_seconds=0.2)
HEAD = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Half: "
BODY = (
    b"POST /webhooks/shop HTTP/1.1\r\nHost: a\r\nX-InfraAudit-Signature: sha256=" + b"0" * 64
    + b"\r\nContent-Length: 1000\r\n\r\n{"
)  # fmt: skip


class Service:
    def __init__(self, history: History, received: Received, port: int) -> None:
        self.history, self.received, self.port = history, received, port
        self.url = f"http://127.0.0.1:{port}"

    def push(self, payload: dict[str, Any], **headers: str) -> httpx.Response:
        body = json.dumps(payload).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        words = {"X-InfraAudit-Signature": f"sha256={signature}"} | headers
        return httpx.post(f"{self.url}/webhooks/shop", content=body, headers=words, timeout=10)


@pytest.fixture
def limits() -> ConnectionLimits:
    return LIMITS


@pytest.fixture
def service(history: History, tmp_path: Path, limits: ConnectionLimits) -> Iterator[Service]:
    received, port = Received(Inbox(tmp_path / "inbox"), history), free_port()
    app = build_app(history, ServiceOptions(projects=["shop"], secrets={"shop": [SECRET]}), received=received)
    config = uvicorn.Config(app, port=port, log_level="error", timeout_keep_alive=15, http=limited_protocol(limits))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield Service(history, received, port)
    server.should_exit = True
    thread.join(10)


@contextmanager
def connections(port: int, number: int, sent: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as all_of_them:
        opened = []
        for _ in range(number):
            one = all_of_them.enter_context(socket.create_connection(("127.0.0.1", port)))
            one.sendall(sent)
            opened.append(one)
        yield opened


def is_closed(one: socket.socket) -> bool:
    one.settimeout(0.01)
    try:
        while one.recv(65536):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("sent", [HEAD, BODY, b"", b"G"], ids=["half a head", "half a body", "nothing", "a letter"])
def test_others_are_served_beside_500_half_requests_which_are_closed(service: Service, sent: bytes) -> None:
    with connections(service.port, 500, sent) as half:
        slowest = max(answered(lambda: httpx.get(f"{service.url}/healthz", timeout=10)) for _ in range(20))
        assert slowest < 5
        pushed = service.push({"ref": "refs/heads/main", "after": "a" * 40})
        assert (pushed.status_code, pushed.json()["state"]) == (202, "stored")
        end, left = time.monotonic() + 10, half
        while left and time.monotonic() < end:
            left = [one for one in left if not is_closed(one)]
        assert not left, "each is closed within the limit"


def answered(ask: Callable[[], httpx.Response]) -> float:
    began = time.monotonic()
    assert ask().status_code == 200
    return time.monotonic() - began


def test_a_letter_a_second_does_not_stretch_the_limit(service: Service) -> None:
    with connections(service.port, 1, HEAD) as (one,):
        began = time.monotonic()
        try:
            while time.monotonic() < began + 10:
                one.sendall(b"x")
                time.sleep(0.2)
        except OSError:
            pass
        assert time.monotonic() - began < 6


def test_a_connection_that_is_used_again_and_again_stays(service: Service) -> None:
    with httpx.Client() as client:
        for _ in range(8):
            assert client.get(f"{service.url}/healthz").status_code == 200
            time.sleep(0.5)


@pytest.mark.parametrize("limits", [replace(LIMITS, head_seconds=100)])
def test_an_address_that_has_too_many_loses_its_oldest(service: Service, limits: ConnectionLimits) -> None:
    with connections(service.port, 150, HEAD) as half:
        time.sleep(2 * limits.grace_seconds)
        with connections(service.port, 10, HEAD) as more:
            eventually(lambda: all(map(is_closed, half[:50])), between=0.05)
            assert not any(map(is_closed, [*half[-40:], *more])), "those that came last stay"


PUSH = {"ref": "refs/heads/main", "before": "b" * 40, "after": "a" * 40}


def test_a_redelivery_is_known_and_a_replay_is_told_apart(service: Service) -> None:
    first = service.push(PUSH, **{"X-InfraAudit-Delivery": "1"})
    again = service.push(PUSH, **{"X-InfraAudit-Delivery": "1"})
    replayed = service.push(PUSH, **{"X-InfraAudit-Delivery": "2"})
    assert [one.json()["state"] for one in (first, again, replayed)] == ["stored", "known", "replayed"]
    service.received.move_to(service.history)
    assert len(waiting_pushes(service.history, "shop")) == 1
    assert service.push(PUSH, **{"X-InfraAudit-Delivery": "3"}).json()["state"] == "replayed"
    assert 'rejected_total{reason="replayed"} 2.0' in httpx.get(f"{service.url}/metrics").text


def test_a_replay_under_the_next_id_does_not_swallow_the_push_of_that_id(service: Service) -> None:
    """Delivery ids are not signed: who kept a body may send it under an id that the forge is about to use."""
    service.push(PUSH, **{"X-InfraAudit-Delivery": "1"})
    assert service.push(PUSH, **{"X-InfraAudit-Delivery": "2"}).json()["state"] == "replayed"
    real = service.push(PUSH | {"after": "c" * 40}, **{"X-InfraAudit-Delivery": "2"})
    assert real.json()["state"] == "stored"


def test_the_same_body_counts_anew_after_the_window(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    service.push(PUSH, **{"X-InfraAudit-Delivery": "1"})
    service.received.move_to(service.history)
    monkeypatch.setattr("service.received.REPLAY_WINDOW", timedelta(seconds=-1))
    assert service.push(PUSH, **{"X-InfraAudit-Delivery": "2"}).json()["state"] == "stored"
