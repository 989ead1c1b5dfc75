"""The HTTP API."""

import json
import logging
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from infraauditai.audit import audit
from infraauditai.findings import UnreadableInput
from infraauditai.metrics import Metrics

MAX_BODY = 1024 * 1024
_log = logging.getLogger("infraauditai.service")


class Service(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, Handler)
        self.metrics = Metrics()

    def readiness(self) -> str | None:
        """Why no audit can be made yet; None when it can."""
        return None


class Handler(BaseHTTPRequestHandler):
    server: Service
    server_version = "InfraAuditAI"
    timeout = 10

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(200, {"status": "ok"})
        elif self.path == "/readyz":
            reason = self.server.readiness()
            self._answer(503 if reason else 200, {"status": reason or "ready"})
        elif self.path == "/metrics":
            self._send(200, self.server.metrics.exposition(), "text/plain; version=0.0.4; charset=utf-8")
        else:
            self._answer(404, {"error": f"no such path: {self.path}"})

    def do_POST(self) -> None:
        if self.path != "/audit":
            self._answer(404, {"error": f"no such path: {self.path}"})
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            self._answer(413 if length.isdigit() else 411, {"error": f"send at most {MAX_BODY} bytes, with their length"})
            return
        self._audit(self.rfile.read(int(length)))

    def _audit(self, body: bytes) -> None:
        started = time.perf_counter()
        try:
            findings = audit(body.decode())
        except (UnicodeDecodeError, UnreadableInput) as error:
            self.server.metrics.refused()
            self._answer(422, {"error": str(error)})
            return
        self.server.metrics.audited(findings, time.perf_counter() - started)
        self._answer(200, {"findings": [finding.as_dict() for finding in findings], "total": len(findings)})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        self._send(status, json.dumps(content) + "\n", "application/json")

    def _send(self, status: int, text: str, content_type: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        probe = self.path in ("/healthz", "/readyz", "/metrics")
        fields = {"method": self.command, "path": self.path, "status": int(code), "client": self.client_address[0]}
        _log.log(logging.DEBUG if probe and int(code) == 200 else logging.INFO, "request", extra={"fields": fields})

    def log_message(self, format: str, *arguments: Any) -> None:
        _log.warning(format % arguments)
