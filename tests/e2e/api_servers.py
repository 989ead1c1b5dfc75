"""API servers of the real cluster that a test may disturb: one more of its own, and a proxy that answers with faults."""

import http.server
import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.e2e.waiting import eventually


class OwnApiServer:
    """One more API server of the same cluster, for a test to kill and start again; the others' goes on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        self._words = [
            *_words_of_api_server(), f"--secure-port={self._port}", f"--cert-dir={folder / 'certs'}",
        ]  # fmt: skip

    def start(self) -> None:
        with (self._folder / "apiserver.log").open("ab") as log:
            self._process = subprocess.Popen(self._words, stdout=log, stderr=log)
        url = f"https://127.0.0.1:{self._port}/readyz"
        ready = ["curl", "--insecure", "--silent", "--fail", url]
        eventually(lambda: subprocess.run(ready, capture_output=True).returncode == 0, 60)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def kubeconfig(self, other: Path) -> Path:
        """A kubeconfig of the same user that leads here."""
        config = json.loads(other.read_text())
        cluster = {"server": f"https://127.0.0.1:{self._port}", "insecure-skip-tls-verify": True}
        path = self._folder / "own-api-server"
        path.write_text(json.dumps(config | {"clusters": [{**config["clusters"][0], "cluster": cluster}]}))
        return path


def _words_of_api_server() -> list[str]:
    for found in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = found.read_bytes().decode().split("\0")[:-1]
        except OSError:
            continue
        if words and Path(words[0]).name == "kube-apiserver":
            return [word for word in words if not word.startswith(("--secure-port", "--cert-dir"))]
    pytest.skip("the cluster's API server is no process of this machine, so a second one cannot be started")


class FaultyApi:
    """The cluster's API behind a plain proxy that answers some requests with a fault instead."""

    def __init__(self) -> None:
        self.fault: Callable[[str, str], int] = lambda method, path: 0
        self.faults = 0
        self.pause: Callable[[str, str], float] = lambda method, path: 0
        upstream = subprocess.Popen(
            ["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert upstream.stdout
        port = upstream.stdout.readline().strip().rpartition(":")[2]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                time.sleep(outer.pause(self.command, self.path))
                status = outer.fault(self.command, self.path)
                if status:
                    outer.faults += 1
                    answer = b'{"kind": "Status", "message": "made up by the test"}'
                else:
                    request = urllib.request.Request(
                        f"http://127.0.0.1:{port}{self.path}", body or None, method=self.command
                    )
                    for name in ("Content-Type", "Accept"):
                        request.add_header(name, self.headers.get(name) or "application/json")
                    try:
                        with urllib.request.urlopen(request, timeout=30) as response:
                            status, answer = response.status, response.read()
                    except urllib.error.HTTPError as error:
                        status, answer = error.code, error.read()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_PATCH = _pass

            def log_message(self, *words: object) -> None: ...

        self.upstream, self.server = upstream, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kubeconfig(self, path: Path) -> Path:
        cluster = {"name": "faulty", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}
        context = {"name": "faulty", "context": {"cluster": "faulty", "user": "nobody"}}
        user = {"name": "nobody", "user": {}}
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "faulty"}
        path.write_text(json.dumps(config | {"clusters": [cluster], "contexts": [context], "users": [user]}))
        return path


@pytest.fixture
def faulty() -> Iterator[FaultyApi]:
    api = FaultyApi()
    yield api
    api.server.shutdown()
    api.upstream.kill()
    api.upstream.wait()
