"""What the node serves to the pods of a test: relays to addresses that they cannot reach, and repositories."""

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import free_port


@contextlib.contextmanager
def relay(host: str, target: tuple[str, int] | str) -> Iterator[int]:
    """A port on the node that leads to an address, or to a Unix socket, of this machine."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.socket(socket.AF_UNIX if isinstance(target, str) else socket.AF_INET)
                far.connect(target)
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    with socket.create_server((host, 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])


@contextlib.contextmanager
def git_daemon(host: str, folder: Path) -> Iterator[str]:
    """The URL under which the repositories in a folder are served."""
    port = free_port(host)
    words = [f"--base-path={folder}", "--export-all", f"--listen={host}", f"--port={port}", "--reuseaddr", str(folder)]
    environment = os.environ | {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    daemon = subprocess.Popen(["git", "daemon", *words], env=environment, start_new_session=True)
    try:
        yield f"git://{host}:{port}"
    finally:
        os.killpg(daemon.pid, 9)  # git hands on that SIGTERM is ignored, where it is here
        daemon.wait()
