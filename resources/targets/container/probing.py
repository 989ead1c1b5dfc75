"""Run a container's probe from this machine.

Redirects count as success without being followed, and certificates are not checked, as the kubelet does it.
"""

import socket
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException

from infraaudit_domain.errors import EngineError, excerpt
from infraaudit_domain.kubernetes.probes import Probe
from resources.engine import Engine
from resources.machine.http_answer import answer_of

HOST = "127.0.0.1"


def ask(engine: Engine, container: str, probe: Probe, published: Mapping[int, int]) -> str:
    """Empty where the probe succeeds, otherwise why it fails. ``published`` maps ports to those of this machine."""
    if probe.kind == "exec":
        return _ask_inside(engine, container, probe)
    port = published.get(probe.port)
    if port is None:
        return f"port {probe.port} is not published"
    return _ask_http(probe, port) if probe.kind == "http" else _ask_tcp(probe, port)


def _ask_http(probe: Probe, port: int) -> str:
    headers = (("User-Agent", "infraaudit-probe"), *probe.headers)
    seconds, tls = probe.timeout_seconds, probe.scheme == "https"
    try:
        answer = answer_of(HOST, port, probe.path, seconds=seconds, headers=headers, tls=tls)
    except (OSError, HTTPException, ValueError) as error:
        return f"{probe} does not answer ({excerpt(str(error), 100) or type(error).__name__})"
    if 200 <= answer.status < 400:
        return ""
    return f"{probe} answers {answer.status} {excerpt(answer.start.decode('utf-8', 'replace'), 200)}".strip()


def _ask_tcp(probe: Probe, port: int) -> str:
    try:
        with socket.create_connection((HOST, port), timeout=probe.timeout_seconds) as connection:
            # The engine's proxy accepts connections for a container that does not listen, and closes them at once.
            connection.settimeout(0.2)
            with suppress(TimeoutError):
                if not connection.recv(1):
                    return f"{probe} is closed"
            return ""
    except OSError as error:
        return f"{probe} does not answer ({excerpt(str(error), 100)})"


def _ask_inside(engine: Engine, container: str, probe: Probe) -> str:
    try:
        done = engine.run(
            "exec", container, *probe.command, timeout=probe.timeout_seconds + 1, check=False, max_output=65536
        )
    except EngineError as error:
        return f"{probe}: {error}"
    return "" if done.returncode == 0 else f"{probe} ended with {done.returncode}: {excerpt(done.error_text, 200)}"
