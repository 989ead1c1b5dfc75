"""A forge for tests: a real HTTP server that knows what a forge's published description says, and refuses what it refuses.

Stricter than the forges in one thing: a field that the description does not have is refused, so that a wrong name is seen.
"""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema

from infraaudit_domain.reporting.forge_address import Forge, ForgeKind
from tests.forges.board import Board

_DESCRIPTIONS = Path(__file__).parent / "descriptions"
TOKEN = "a-token-of-the-stand-in"
REPOSITORY = "group/shop"


@dataclass
class Received:
    """One request that came."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]
    status: int = 0


@dataclass
class Script:
    """An answer that a test wants instead of the real one."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    """Before it."""


class StandIn(ThreadingHTTPServer):
    """One forge with one repository and some commits, and the statuses that it took."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, kind: ForgeKind, shas: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kind, self.shas = kind, set(shas)
        self.description = json.loads((_DESCRIPTIONS / f"{kind.value}.json").read_text())
        self.tokens = {TOKEN: {"read", "write", "comment"}}
        self.received: list[Received] = []
        self.statuses: list[tuple[str, dict[str, Any]]] = []
        """(commit, body) of those that were taken, in order."""
        self.board = Board(kind)
        self.scripts: list[Script] = []
        self.is_away = False
        self.closed: set[str] = set()
        """The commits whose branch is protected from our token."""
        self._lock = threading.Lock()

    @property
    def forge(self) -> Forge:
        return Forge(self.kind, f"http://127.0.0.1:{self.server_port}{self.description['base']}", REPOSITORY)

    def shown(self, sha: str) -> dict[str, str]:
        """What people see of a commit: the newest state of each context."""
        names = ("context", "key", "name")
        found = [body for each, body in self.statuses if each == sha]
        return {next(body[name] for name in names if name in body): body["state"] for body in found}

    def answer(self, request: Received) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            self.received.append(request)
            if self.is_away:
                return 503, {}, b"<html>away</html>"
            if not self.scripts:
                status, headers, body = self._real(request)
                request.status = status
                return status, headers, body
            script = self.scripts.pop(0)
        time.sleep(script.seconds)
        request.status = script.status
        return script.status, script.headers, script.body

    def _real(self, request: Received) -> tuple[int, dict[str, str], bytes]:
        rights = self._rights(request.headers)
        if rights is None:
            return _error(401, "Bad credentials")
        schema, fields = self._operation(request)
        if fields is None or not self._is_ours(fields):
            return _error(404, "Not Found")
        if "sha" in fields and fields["sha"] not in self.shas:
            # GitHub alone takes a status of an unknown commit for an invalid one.
            unknown = self.kind is ForgeKind.GITHUB and request.method == "POST"
            return _error(422, f"No commit found for SHA: {fields['sha']}") if unknown else _error(404, "Not Found")
        if request.method == "GET" and "number" not in fields and "comment" not in fields:
            return (200, {}, b"{}") if "read" in rights else _error(404, "Not Found")
        if fields.get("sha") in self.closed:
            return _error(403, "closed")
        if request.method == "GET":
            return self.board.read(fields, request.path)
        if "write" not in rights or ("sha" not in fields and "comment" not in rights):
            return _error(403, "Resource not accessible by personal access token")
        wrong = next(iter(jsonschema.Draft202012Validator(schema).iter_errors(request.body)), None)
        if wrong is not None:
            return _error(self.description["refuses_with"], f"Validation Failed: {wrong.message}")
        if "sha" not in fields:
            return self.board.write(fields, request.body)
        return self._take(fields["sha"], request.body)

    def _take(self, sha: str, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        if self.kind is ForgeKind.GITLAB and self.shown(sha).get(body.get("name", "")) == body["state"] == "pending":
            return _error(400, "Cannot transition status via :enqueue from :pending")
        self.statuses.append((sha, body))
        return 201, {}, b"{}"

    def _rights(self, headers: dict[str, str]) -> set[str] | None:
        rule = self.description["authorization"]
        given = headers.get(rule["header"].lower(), "")
        return next(
            (rights for token, rights in self.tokens.items() if given == rule["value"].format(token=token)), None
        )

    def _operation(self, request: Received) -> tuple[Any, dict[str, str] | None]:
        for template, methods in self.description["paths"].items():
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
            found = re.fullmatch(self.description["base"] + pattern, request.path.partition("?")[0])
            if found and request.method in methods:
                return methods[request.method], {name: unquote(part) for name, part in found.groupdict().items()}
        return None, None

    def _is_ours(self, fields: dict[str, str]) -> bool:
        return (fields.get("repository") or f"{fields.get('owner')}/{fields.get('repo')}") == REPOSITORY


def _error(status: int, message: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps({"message": message}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Received(self.command, self.path, json.loads(content) if content else None, headers)
        status, given, body = self.server.answer(request)
        self.send_response(status)
        for name, value in given.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):  # It no longer waits for the answer.
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def running(kind: ForgeKind, shas: list[str]) -> Iterator[StandIn]:
    """A stand-in that answers until the block ends."""
    server = StandIn(kind, shas)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
