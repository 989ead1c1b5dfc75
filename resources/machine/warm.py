"""Call a function in a fork of a process that has imported everything (warm_parent.py), as if it ran here.

The parent is started by the first who needs it, and left behind for the next. Whatever fails before the call has
started is no error: the answer is None, and the caller does the work itself. Deliberately absent: which functions.
"""

import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.machine.listening import inherited, reached

STARTED, ENDED, DECLINED = b"started ", b"ended ", b"declined\n"
_SECONDS_TO_ANSWER = 20
_LENGTH = 8
_PASSED_ON = (signal.SIGINT, signal.SIGTERM)
_OF_THE_TERMINAL = {
    "_", "PWD", "OLDPWD", "SHLVL", "COLUMNS", "LINES", "TERM", "COLORTERM", "WINDOWID", "SSH_TTY", "SSH_CONNECTION",
    "SSH_CLIENT", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTEST_CURRENT_TEST", "PYTEST_VERSION",
}  # fmt: skip
"""Variables that nothing reads when it is imported."""


@dataclass(frozen=True, slots=True)
class Warmth:
    """A parent of one installation: where its socket is, what it imports, how long it waits for calls."""

    folder: Path
    modules: tuple[str, ...]
    heavy: tuple[str, ...]
    """Modules that only some calls need; imported once there are several."""
    idle_seconds: float

    @property
    def name(self) -> str:
        """What has the same name can share a parent: modules, environment, folder, interpreter, user."""
        environment = sorted((name, value) for name, value in os.environ.items() if name not in _OF_THE_TERMINAL)
        circumstances = (
            self.modules,
            self.heavy,
            environment,
            os.getcwd(),
            sys.executable,
            sys.version,
            sys.path,
            inherited(),
        )
        return hashlib.sha256(repr(circumstances).encode()).hexdigest()[:16]

    def run(self, call: str, arguments: Sequence[Any]) -> int | None:
        """Run ``module:function`` on our terminal to its end, as our own process would: signals reach it, and it ends
        with us. Its exit code; None where it did not start."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            asked = self._ask(call, arguments, attached=True)
            return None if asked is None else _follow(*asked, before)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def start(self, call: str, arguments: Sequence[Any]) -> int | None:
        """Start ``module:function``, which outlives us; its process ID, or None where it did not start."""
        asked = self._ask(call, arguments, attached=False)
        if asked is None:
            return None
        asked[0].close()
        return asked[1]

    def _ask(self, call: str, arguments: Sequence[Any], attached: bool) -> tuple[socket.socket, int] | None:
        request = {
            "call": call, "arguments": list(arguments), "attached": attached, "argv": sys.argv,
            "environment": dict(os.environ), "folder": os.getcwd(), "umask": _umask(),
        }  # fmt: skip
        name = self.name
        for _ in range(3):
            try:
                connection = self._connected(name)
            except (OSError, subprocess.TimeoutExpired):
                return None
            if connection is None:
                return None
            if attached:  # Held back until there is a child to pass them on to.
                signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
            answer, asked_at = b"", time.monotonic()
            with suppress(OSError):
                _send(connection, request)
                answer = _line(connection, _SECONDS_TO_ANSWER)
            if answer.startswith(STARTED):
                return connection, int(answer[len(STARTED) :])
            connection.close()
            if time.monotonic() - asked_at >= _SECONDS_TO_ANSWER:
                return None  # It hangs: the caller does the work itself before it is given up, too.
        return None

    def _connected(self, name: str) -> socket.socket | None:
        # -P: where we stand is perhaps a checkout of a project, whose modules are not ours.
        words = ["-P", "-m", "resources.machine.warm_parent", str(self.folder), name, str(self.idle_seconds)]
        return reached(self.folder, name, [*words, *self.modules, "--", *self.heavy])


def receive(connection: socket.socket) -> dict[str, Any]:
    """What a caller asks for, with its descriptors."""
    connection.settimeout(_SECONDS_TO_ANSWER)
    head, descriptors, _, _ = socket.recv_fds(connection, _LENGTH, 3)
    with connection.makefile("rb") as stream:
        request: dict[str, Any] = json.loads(stream.read(int(head, 16)))
    connection.settimeout(None)
    return request | {"descriptors": descriptors}


def _send(connection: socket.socket, request: Mapping[str, Any]) -> None:
    body = json.dumps(request).encode()
    socket.send_fds(connection, [f"{len(body):0{_LENGTH}x}".encode()], [0, 1, 2])
    connection.sendall(body)


def _line(connection: socket.socket, seconds: float | None) -> bytes:
    """The next line of an answer; empty where the other side ended or says nothing in time."""
    connection.settimeout(seconds)
    with suppress(OSError), connection.makefile("rb", buffering=0) as stream:
        return bytes(stream.readline())
    return b""


def _follow(connection: socket.socket, pid: int, mask: Iterable[int]) -> int:
    """Pass our signals on until the child ends; its exit code."""
    try:
        child = os.pidfd_open(pid)
    except ProcessLookupError:
        return _exit_code(connection)

    def forward(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(child, number)

    before = {number: signal.signal(number, forward) for number in _PASSED_ON}
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        select.select([child], [], [])
        return _exit_code(connection)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(child)


def _exit_code(connection: socket.socket) -> int:
    """The exit code of a child that ended; as a shell has it where it was killed."""
    with connection:
        said = _line(connection, 1)
    return int(said[len(ENDED) :]) if said.startswith(ENDED) else 128 + signal.SIGKILL


def _umask() -> int:
    """Read where setting it to learn it would change it for other threads."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("Umask:")).split()[1], 8)
