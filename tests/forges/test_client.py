"""What the client of a forge withstands: servers that hang, trickle, redirect or talk without end; and where its token goes."""

import asyncio
import gzip
import json
import logging
import socketserver
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat

import pytest

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.forge.answers import Answer, Result
from infraaudit_domain.reporting.forge_address import Forge, ForgeKind
from resources.forge import client as client_module
from resources.forge.client import ForgeClient, new_connections
from resources.forge.request import Request
from tests.forges.asking import SHA, sent
from tests.forges.stand_in import TOKEN, Script, StandIn, running


@pytest.fixture
def github() -> Iterator[StandIn]:
    with running(ForgeKind.GITHUB, [SHA]) as server:
        yield server


def test_an_address_that_is_none_is_named() -> None:
    forge = Forge(ForgeKind.GITHUB, "https://forge.example:port", "a/b")

    async def ask() -> Answer:
        async with new_connections() as connections:
            return await ForgeClient(forge, TOKEN, connections).ask(Request("GET", "/"))

    answer = asyncio.run(ask())
    assert answer.result is Result.DENIED and "api" in answer.words


def test_many_projects_of_a_forge_that_hangs_hold_up_no_other(github: StandIn) -> None:
    async def work() -> Answer:
        hanging = await asyncio.start_server(lambda *_: asyncio.sleep(60), "127.0.0.1", 0)
        port = hanging.sockets[0].getsockname()[1]
        slow = Forge(ForgeKind.GITHUB, f"http://127.0.0.1:{port}", "a/b")
        async with new_connections() as connections:
            client = ForgeClient(slow, TOKEN, connections)
            stuck = [asyncio.create_task(client.ask(Request("GET", "/"))) for _ in range(101)]
            await asyncio.sleep(0.3)
            async with asyncio.timeout(2):
                answer = await ForgeClient(github.forge, TOKEN, connections).ask(
                    client.adapter.repository(github.forge)
                )
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)
        hanging.close()
        return answer

    assert asyncio.run(work()).result is Result.TAKEN


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed_with_the_token(github: StandIn, status: int) -> None:
    with running(ForgeKind.GITHUB, [SHA]) as other:
        github.scripts = [Script(status, {"Location": f"http://127.0.0.1:{other.server_port}/{TOKEN}"})]
        answer = sent(github)
        assert answer.result is Result.DENIED and "another address" in answer.words
        assert TOKEN not in answer.words and other.received == []


@contextmanager
def _answering(parts: Iterable[bytes], between: float) -> Iterator[StandIn]:
    """A stand-in at whose address these bytes are answered instead, with so many seconds between them."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            with suppress(OSError):
                for part in parts:
                    self.request.sendall(part)
                    time.sleep(between)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with running(ForgeKind.GITHUB, [SHA]) as forge:
            forge.server_port = server.server_address[1]
            yield forge
        server.shutdown()


def test_an_answer_that_is_endless_is_read_to_a_limit() -> None:
    head = b"HTTP/1.1 422 No\r\nContent-Type: application/json\r\n\r\n"
    with _answering(chain([head], repeat(b"x" * 65536)), 0) as forge:
        began = time.monotonic()
        answer = sent(forge)
        assert answer.result is Result.REJECTED and len(answer.words) < 300
        assert time.monotonic() - began < client_module.SECONDS / 2


def test_an_answer_that_trickles_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "SECONDS", 0.15)
    with _answering((bytes([byte]) for byte in b"HTTP/1.1 201 Created\r\nX-Slow: " + b"a" * 100), 0.03) as forge:
        began = time.monotonic()
        assert sent(forge).result is Result.BUSY
        assert time.monotonic() - began < 1.5


def test_a_packed_answer_is_not_unpacked(github: StandIn) -> None:
    packed = gzip.compress(b"0" * 2_000_000)
    github.scripts = [Script(422, {"Content-Encoding": "gzip"}, packed)]
    assert "000" not in sent(github).words
    assert github.received[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "words",
    [
        "Bad password secret-of-jo",
        "x" * 185 + "\x1bsecret-of-jo" + "y" * 192,
        "secret\x00-of-jo",
        "z" * 994 + "secret-of-jo",
    ],
)
def test_no_part_of_the_token_comes_back(words: str) -> None:
    with running(ForgeKind.BITBUCKET, [SHA]) as server:
        server.scripts = [Script(401, {}, json.dumps({"message": words}).encode())]
        answer = sent(server, token="jo:secret-of-jo")
        assert answer.result is Result.DENIED and "of-jo" not in answer.words


def test_the_token_appears_nowhere(github: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "infraaudit")
    github.scripts = [Script(401, {}, f'{{"message": "Bad token {TOKEN}"}}'.encode())]
    answer = sent(github)
    assert answer.words == "HTTP 401: Bad token …" and TOKEN not in caplog.text
    broken = sent(github, token="two\nlines")
    assert broken.result is Result.DENIED and "two" not in broken.words
    assert TOKEN not in repr(ForgeClient(github.forge, TOKEN, None))


def test_a_forge_that_is_not_there_is_busy(github: StandIn) -> None:
    github.is_away = True
    assert sent(github).result is Result.BUSY
    github.server_close()
    assert sent(github).result is Result.BUSY


def test_no_proxy_is_shown_a_token_in_plain_text(github: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(ForgeKind.GITHUB, [SHA]) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert sent(github).result is Result.TAKEN and proxy.received == []


@pytest.mark.parametrize(("name", "value"), [("SSL_CERT_FILE", "/nowhere/ca.pem"), ("HTTPS_PROXY", "no-proxy://x")])
def test_an_environment_in_which_nothing_can_be_asked_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    client_module._trusted.cache_clear()
    with pytest.raises(ConfigurationError, match=name):
        new_connections()
    client_module._trusted.cache_clear()
