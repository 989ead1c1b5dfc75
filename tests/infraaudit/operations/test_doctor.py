"""The doctor finds every part, reports what does not work without it, and never hangs."""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from infraaudit.operations.doctor import Part, examine


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield listener.getsockname()[1]


def _by_name(parts: list[Part]) -> dict[str, Part]:
    return {part.name: part for part in parts}


def test_every_part_is_there_or_says_why_not(tmp_path: Path) -> None:
    parts = _by_name(
        examine(
            engine="none",
            target="container",
            database_url=f"sqlite:///{tmp_path}/h.db",
            grafana_url="file:///etc/passwd",
        )
    )
    assert list(parts) == [
        "git", "engine", "builder", "build box", "cluster", "registry", "promtool", "prometheus", "grafana", "database",
    ]  # fmt: skip
    assert parts["git"].found and parts["git"].version[0].isdigit()
    assert not parts["engine"].found and "INFRAAUDIT_ENGINE is none" in parts["engine"].detail and parts["engine"].lost
    assert "INFRAAUDIT_TARGET is container" in parts["cluster"].detail
    assert parts["database"].found and "made at the first run" in parts["database"].detail
    assert not (tmp_path / "h.db").exists(), "looking makes nothing"
    assert "no http address" in parts["grafana"].detail
    json.dumps([part.detail for part in parts.values()])


def test_parts_that_hang_are_reported_and_keep_no_other_waiting(
    silent_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{silent_port}"
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\nwhile :; do /bin/sleep 1; done\n")
    program.chmod(0o755)
    monkeypatch.setattr("resources.engine.detection._ALSO_LOOK_IN", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "kubeconfig").write_text(
        f"apiVersion: v1\nkind: Config\ncurrent-context: a\n"
        f"clusters: [{{name: a, cluster: {{server: '{address}'}}}}]\n"
        "contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {token: x}}]\n"
    )
    monkeypatch.setattr("infraaudit.operations.outside.SECONDS", 1.5)
    parts = _by_name(
        examine(
            kubeconfig=tmp_path / "kubeconfig",
            registries=[f"127.0.0.1:{silent_port}/a"],
            prometheus_url=address,
            grafana_url=address,
            database_url=f"postgresql+psycopg2://u:secret@127.0.0.1:{silent_port}/x",
        )
    )
    assert not any(part.found for part in parts.values())
    hanging = {name: part.detail for name, part in parts.items() if name not in ("git", "promtool", "build box")}
    expected = r"no answer within|timed out|timeout expired|did not finish"
    assert (
        len(hanging) == 7 and {name: words for name, words in hanging.items() if not re.search(expected, words)} == {}
    )
    assert not any("secret" in part.detail for part in parts.values())
    assert "not installed" in parts["git"].detail


def test_a_cluster_that_need_not_prove_itself_is_reported_once(tmp_path: Path) -> None:
    import http.server

    class ApiServer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(403)  # A hardened cluster hides its version.

        def log_message(self, *words: object) -> None: ...

    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=somebody", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), ApiServer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "kubeconfig").write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: lab\n"
            f"clusters: [{{name: a, cluster: {{server: 'https://127.0.0.1:{server.server_port}', "
            "insecure-skip-tls-verify: true}}]\n"
            "contexts: [{name: lab, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {token: x}}]\n"
        )
        done = subprocess.run(
            [Path(sys.executable).with_name("infraaudit"), "doctor", "--json"],
            env=os.environ | {"INFRAAUDIT_KUBECONFIG": str(tmp_path / "kubeconfig"), "INFRAAUDIT_HOME": str(tmp_path)},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        server.shutdown()
    cluster = next(part for part in json.loads(done.stdout) if part["name"] == "cluster")
    assert cluster["found"] and "context lab" in cluster["detail"] and "certificate-authority" in cluster["detail"]
    assert done.stderr == ""


def test_what_answers_is_found_with_its_version() -> None:
    import http.server

    class Grafana(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            body = {"version": "11.2.0", "data": {"version": "3.1.4"}}
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *words: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Grafana) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        parts = _by_name(
            examine(
                engine="none",
                target="none",
                grafana_url=address,
                prometheus_url=address,
                registries=[f"127.0.0.1:{server.server_port}/app"],
            )
        )
        server.shutdown()
    assert (parts["grafana"].version, parts["prometheus"].version) == ("11.2.0", "3.1.4")
    assert parts[f"registry 127.0.0.1:{address.rpartition(':')[2]}"].found
