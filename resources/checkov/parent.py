"""The client of the primed parent: starts it when first needed, asks one thing at a time, restarts it when it is
lost."""

import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from infraaudit_domain.errors import ScanError, excerpt
from resources.checkov.caches import grammar_folder, parsed_folder
from resources.checkov.limits import ScanLimits
from resources.checkov.versions import versions_digest
from resources.machine import process
from resources.machine.listening import inherited, reached

_START_SECONDS = 180.0
_GRACE_SECONDS = 30.0
_SERVER = ("-P", "-s", "-m", "resources.checkov.server")


@dataclass(frozen=True, slots=True)
class Answer:
    """How a child ended: ``done`` with a document, or ``time``, ``cpu``, ``memory``, ``crash``, ``signal N``."""

    outcome: str
    document: Any = None
    words: str = ""
    cpu: float = 0.0
    memory: int = 0

    @property
    def was_killed(self) -> bool:
        """Ended from outside: by an administrator, or because the machine ran out of memory."""
        return self.outcome == f"signal {signal.SIGKILL.value}"

    @property
    def reason(self) -> str:
        reason = {
            "time": "Checkov ran longer than its limit and was killed",
            "cpu": "Checkov used more processor time than its limit and was killed",
            "memory": "Checkov needed more memory than its limit",
        }.get(self.outcome, f"Checkov ended early ({self.outcome})")
        return f"{reason}: {excerpt(self.words, 300)}" if self.words.strip() else reason


class Parent:
    """One primed Checkov process. Not for use by several threads at once."""

    def __init__(self, scratch: Path, limits: ScanLimits, state: Path) -> None:
        """``scratch`` is for files that end with it, ``state`` for those that the next one uses."""
        self._scratch, self._limits, self._state = scratch, limits, state
        self._stack = ExitStack()
        self._channel: Channel | None = None
        self._folder: Path | None = None
        """Of a parent of our own."""
        self.pid: int | None = None
        """Of the running parent, where there is one."""
        self.is_offline = False
        self.left_out: tuple[str, ...] = ()
        """Patches that do not fit the installed Checkov, which is slower without them."""
        self.cpu = 0.0
        """CPU seconds that the children used so far."""
        self.peak_memory = 0

    def close(self) -> None:
        """Stop the parent and its children."""
        self._channel = self._folder = self.pid = None
        self._stack.close()

    def ask(self, task: str, root: Path, work: Path, seconds: float | None = None, **details: Any) -> Answer:
        """Fork a child for a task on a tree; ``work`` is its own folder for files that it writes.

        Raises ScanError when no parent can be started.
        """
        home = Path(tempfile.mkdtemp(dir=work, prefix="home-"))
        wall = seconds or self._limits.seconds
        limits = {name: getattr(self._limits, name) for name in ("cpu_seconds", "memory_bytes", "report_bytes")}
        depth = {"yaml_depth": self._limits.yaml_depth, "yaml_nodes": self._limits.yaml_nodes}
        request = {"task": task, "root": str(root), "scratch": str(home), "answer": str(home / "answer.json")}
        try:
            report = self._exchange({**request, **limits, **depth, "seconds": wall, **details}, wall + _GRACE_SECONDS)
            self.cpu += report.get("cpu", 0.0)
            self.peak_memory = max(self.peak_memory, report.get("memory", 0))
            return self._read(report, home / "answer.json")
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _read(self, report: dict[str, Any], path: Path) -> Answer:
        words, cpu, memory = report.get("words", ""), report.get("cpu", 0.0), report.get("memory", 0)
        if report["outcome"] != "done":
            return Answer(report["outcome"], None, words, cpu, memory)
        try:
            return Answer("done", json.loads(path.read_text("utf-8")), words, cpu, memory)
        except (OSError, ValueError) as error:
            return Answer("crash", None, f"its report is missing or incomplete ({error})", cpu, memory)

    def _exchange(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        for _ in range(2):
            channel = self._running()
            try:
                channel.requests.write(json.dumps(request).encode() + b"\n")
                channel.requests.flush()
                answer = _line(channel.answers, seconds)
            except OSError:
                answer = None
            if answer is not None:
                return answer
            self.close()
        raise ScanError("The process that holds Checkov was killed twice; is the machine out of memory?")

    def _running(self) -> "Channel":
        if self._channel is None:
            self._stack = ExitStack()
            self._channel = self._start(self._stack)
        if self._folder is not None:
            with suppress(OSError):
                os.utime(self._folder)  # What is used is not swept (tree.py), however long ago it was made.
        return self._channel

    def _start(self, stack: ExitStack) -> "Channel":
        temporary = stack.enter_context(tempfile.TemporaryDirectory(dir=self._scratch, prefix="parent-"))
        self._folder, log = Path(temporary), Path(temporary) / "log"
        child = stack.enter_context(
            process.spawned(
                [sys.executable, *_SERVER],
                cwd=Path(temporary),
                env=environment(Path(temporary), self._state, log),
                stdin=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        )
        assert child.stdin is not None and child.stdout is not None
        channel = Channel(child.stdin, child.stdout.fileno())
        began = time.monotonic()
        if not self._is_greeted(channel):
            is_slow = time.monotonic() - began >= _START_SECONDS
            said = excerpt(log.read_text("utf-8", "replace"), 800) if log.exists() else ""
            self.close()
            if is_slow:
                raise ScanError(
                    f"Checkov did not start within {_START_SECONDS:g} s; it said: {said or 'nothing'}. The machine may "
                    "be busy: scan again."
                )
            raise ScanError(f"Checkov cannot be started: {said or 'it said nothing'}. Is it installed?")
        return channel

    def _is_greeted(self, channel: "Channel") -> bool:
        """Whether the parent is ready; what it says of itself is ours then."""
        hello = _line(channel.answers, _START_SECONDS)
        if hello is None:
            return False
        self.is_offline, self.left_out = bool(hello.get("offline")), tuple(hello.get("left_out", ()))
        self.pid = hello.get("parent")
        return True


class SharedParent(Parent):
    """The one primed Checkov process of an installation, started by the first who needs it; else one of our own."""

    def __init__(self, scratch: Path, limits: ScanLimits, state: Path, idle_seconds: float) -> None:
        """``idle_seconds`` is how long the process that is started here is kept unused."""
        super().__init__(scratch, limits, state)
        self._idle_seconds = idle_seconds

    def _start(self, stack: ExitStack) -> "Channel":
        folder = self._scratch / "server"
        with suppress(OSError, subprocess.TimeoutExpired):
            words = environment(folder, self._state, folder / "checkov.log")
            name = _name(words)
            connection = reached(folder, name, [*_SERVER, str(folder), name, str(self._idle_seconds)], words)
            if connection is not None:
                stack.enter_context(connection)
                channel = Channel(stack.enter_context(connection.makefile("wb")), connection.fileno())
                if self._is_greeted(channel):
                    return channel
        return super()._start(stack)


@dataclass(frozen=True, slots=True)
class Channel:
    """Where a parent is asked, and the descriptor that it answers on."""

    requests: IO[bytes]
    answers: int


def _name(words: Mapping[str, str]) -> str:
    """The same for scanners that can share a parent: another Checkov, patch, Python or environment needs its own."""
    here = Path(__file__).parent
    sources = [(str(path), path.stat().st_mtime_ns) for path in sorted(here.rglob("*.py"))]
    circumstances = (sources, versions_digest(), sys.executable, sorted(words.items()), inherited())
    return hashlib.sha256(repr(circumstances).encode()).hexdigest()[:16]


def _line(answers: int, seconds: float) -> dict[str, Any] | None:
    """One answer; None when the process ended or does not answer in time."""
    received, deadline = b"", time.monotonic() + seconds
    while not received.endswith(b"\n"):
        ready, _, _ = select.select([answers], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(answers, 65536) if ready else b""
        if not chunk:
            return None
        received += chunk
    answer: dict[str, Any] = json.loads(received)
    return answer


def environment(home: Path, state: Path, log: Path) -> dict[str, str]:
    """The whole environment of the parent and its children: no token, no key, no switch of Checkov."""
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "HOME": str(home),
        # Lark keeps pickled tables in here; only the primed parent, which never reads a tree, writes them.
        "TMPDIR": str(grammar_folder(state)),
        "INFRAAUDIT_PARSED": str(parsed_folder(state)),
        "LANG": "C.UTF-8",
        "LOG_LEVEL": "ERROR",
        "PYTHONHASHSEED": "0",
        "CHECKOV_PARALLELIZATION_TYPE": "none",
        "HCL_PARSE_TIMEOUT_SEC": "120",
        "INFRAAUDIT_SCAN_LOG": str(log),
    }
