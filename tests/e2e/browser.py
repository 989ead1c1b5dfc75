"""A headless Chromium, driven over its DevTools protocol: enough to open a page as a person has it."""

import base64
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0",
          "--no-first-run", "--disable-background-networking")  # fmt: skip


class Page:
    """One tab. ``complaints`` is what the browser itself found wrong: blocked content, script errors."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._number = connection, 0
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while (message := self._receive()).get("id") != self._number:
            pass
        assert "error" not in message, message
        return message["result"]

    def open(self, url: str, dark: bool = False, width: int = 1280, height: int = 900) -> None:
        """Go there and wait until everything is loaded."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Page.navigate", url=url)
        while self._receive().get("method") != "Page.loadEventFired":
            pass

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression; it runs as the developer tools', whatever the page's policy."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str, times: int = 1) -> None:
        codes = {"Tab": 9, "Enter": 13}
        for _ in range(times):
            for kind in ("rawKeyDown", "char", "keyUp"):
                if kind == "char" and key != "Enter":
                    continue
                self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key],
                          **({"text": "\r"} if kind == "char" else {}))  # fmt: skip

    def wait_for(self, expression: str, seconds: float = 10) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := self.ask(expression)):
            assert time.monotonic() < deadline, f"{expression} did not come true"
            time.sleep(0.05)
        return found

    def picture(self, path: Path, whole: bool = False) -> Path:
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(timeout=60))
        if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.complaints.append(message["params"]["entry"]["text"])
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(message["params"]))
        return message


@contextmanager
def browser() -> Iterator[Page]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        command = ["chromium", *_FLAGS, f"--user-data-dir={home}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = _port(Path(home), process)
            tabs = httpx.get(f"http://127.0.0.1:{port}/json/list", timeout=60).json()
            address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            with connect(address, max_size=64 * 1024 * 1024) as connection:
                yield Page(connection)
        finally:
            process.terminate()
            process.wait(60)


def _port(home: Path, process: subprocess.Popen) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        reported = home / "DevToolsActivePort"
        if reported.exists() and (text := reported.read_text()).count("\n"):
            return int(text.split("\n")[0])
        time.sleep(0.05)
    raise AssertionError(f"Chromium did not start (exit code {process.poll()})")
