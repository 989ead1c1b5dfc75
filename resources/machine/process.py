"""Start programs so that they cannot outlive us, outrun a limit, or fill our memory.

Every child leads its own session and asks the kernel to die with the thread that started it (PR_SET_PDEATHSIG); at a
limit the whole group is killed. Deliberately absent: shells (a command is always a list of words), and a
``preexec_fn``: with it, Python runs the fork handlers of every library, and in a process with gRPC's threads, such as
Dagster's code server, the child crashes before it becomes the program.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from infraaudit_domain.errors import ToolError, ToolMissingError, ToolTimeoutError, excerpt
from resources.machine.streams import Listener, Reader, finish

DEFAULT_OUTPUT_LIMIT = 8 * 1024 * 1024
_LAST_LINES_SECONDS = 5.0
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Completed:
    """The result of a program that ended."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    seconds: float
    truncated: bool
    """Whether output beyond the limit was thrown away."""

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")

    @property
    def error_text(self) -> str:
        return excerpt(self.stderr.decode("utf-8", "replace") or self.text)


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    max_output: int = DEFAULT_OUTPUT_LIMIT,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    called: str | None = None,
) -> Completed:
    """Run a program to its end and return what it printed.

    ``timeout`` is in seconds of wall time, ``max_output`` in bytes for each of the two streams (the rest is read and
    dropped, so the program never blocks). ``on_line`` gets each line of both streams as it is printed, and all of them
    before this returns, for which it has a minute after the program's end. ``called`` is the program's name in messages,
    by default its first words.

    Raises ToolMissingError, ToolTimeoutError, and with ``check`` ToolError when the exit code is not 0.
    """
    called = called or _name(argv)
    started = time.monotonic()
    with spawned(argv, cwd=cwd, env=env, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL) as child:
        listener = Listener(on_line, max_output) if on_line else None
        streams = [Reader(child.stdout, max_output, listener), Reader(child.stderr, max_output, listener)]
        if stdin is not None:
            _feed(child, stdin)
        try:
            returncode = child.wait(timeout)
        except subprocess.TimeoutExpired as error:
            kill_group(child)
            finish(streams, listener, _LAST_LINES_SECONDS)
            raise ToolTimeoutError(
                f"{called} did not finish within {timeout:g} s and was killed. "
                f"Its last words: {excerpt(streams[1].text() or streams[0].text(), 500) or 'none'}"
            ) from error
        outputs = finish(streams, listener)
    done = Completed(
        tuple(argv), returncode, outputs[0], outputs[1], time.monotonic() - started, any(s.truncated for s in streams)
    )
    if check and returncode != 0:
        raise ToolError(f"{called} ended with exit code {returncode}: {done.error_text or 'it said nothing'}")
    return done


@contextmanager
def spawned(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
) -> Iterator[subprocess.Popen[bytes]]:
    """A running program; its whole process group is killed when the block ends, however it ends.

    Raises ToolMissingError.
    """
    try:
        child = subprocess.Popen(
            dying_with_us(argv, env),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except OSError as error:
        if cwd is not None and not cwd.exists():
            raise ToolError(f"{_name(argv)} cannot run in {cwd}: there is no such folder.") from error
        raise ToolError(f"{_name(argv)} could not be started: {error.strerror}.") from error
    try:
        yield child
    finally:
        kill_group(child)


def dying_with_us(argv: Sequence[str], env: Mapping[str, str] | None = None) -> list[str]:
    """The command that is killed when the thread that starts it ends. Raises ToolMissingError."""
    path = (env or os.environ).get("PATH", os.defpath)
    # It belongs to the system: it is found whatever PATH the tool gets.
    return [_find("setpriv", os.defpath), "--pdeathsig", "KILL", "--", _find(argv[0], path), *argv[1:]]


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that forked it ends; at once where ``parent`` is gone."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _find(program: str, path: str) -> str:
    found = shutil.which(program, path=path)
    if found is None:
        raise ToolMissingError(f"{program} is not installed (or not in PATH).")
    return found


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill the process and everything in its group, and reap it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _name(argv: Sequence[str]) -> str:
    return excerpt(" ".join(argv[:3]), 200)


def _feed(child: subprocess.Popen[bytes], data: bytes) -> None:
    def write() -> None:
        try:
            assert child.stdin is not None
            child.stdin.write(data)
            child.stdin.close()
        except (BrokenPipeError, ValueError):
            pass

    threading.Thread(target=write, daemon=True).start()
