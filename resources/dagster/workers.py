"""Which process of this machine executes a run: a file for each run in Dagster's home, locked while that process lives.

The kernel frees a lock with its holder, also after SIGKILL, so that a run whose process is gone is known at once.
Deliberately absent: runs in containers and Jobs, whose launchers know their state.
"""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

_FOLDER = "workers"
LAUNCHED, IN_FOREGROUND = "launched", "foreground"


class Worker(Enum):
    """The state of the process of a run."""

    UNKNOWN = "unknown"
    """None of this machine took it, or it ended."""
    ALIVE = "alive"
    GONE = "gone"


@contextmanager
def working_on(home: Path, run_id: str, how: str = IN_FOREGROUND) -> Iterator[None]:
    """Show this process as the worker of a run, for the time of the block; ``how`` it was started."""
    file = _file(home, run_id)
    if is_alive(home, run_id) and _holder(file)[0] == os.getpid():
        yield
        return
    file.parent.mkdir(mode=0o700, exist_ok=True)
    # Locked before it has its name, so that nobody sees it unlocked while we live.
    new = file.with_suffix(f".{os.getpid()}")
    with new.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(f"{os.getpid()} {how}")
        stream.flush()
        new.rename(file)
        try:
            yield
        finally:
            with suppress(OSError):
                if file.stat().st_ino == os.fstat(stream.fileno()).st_ino:
                    file.unlink()


def state_of(home: Path, run_id: str) -> Worker:
    """Whether the process that executes a run is alive."""
    try:
        with _file(home, run_id).open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return Worker.UNKNOWN
    except BlockingIOError:
        return Worker.ALIVE
    return Worker.GONE


def is_alive(home: Path, run_id: str) -> bool:
    """Whether a process of this machine executes a run."""
    return state_of(home, run_id) is Worker.ALIVE


def interrupt(home: Path, run_id: str) -> bool:
    """Interrupt the process of a run, as Ctrl-C does; returns whether there is one."""
    return is_alive(home, run_id) and _signalled(_file(home, run_id), signal.SIGINT)


def kill_launched(home: Path) -> None:
    """Kill the processes of all runs that were launched, and with each what it started; not those in a terminal."""
    for file in (home / _FOLDER).glob("*"):
        if _holder(file)[1] == LAUNCHED and is_alive(home, file.name):
            _signalled(file, signal.SIGKILL)


def _signalled(file: Path, number: signal.Signals) -> bool:
    pid, _ = _holder(file)
    try:
        if pid > 0:
            os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return pid > 0


def _holder(file: Path) -> tuple[int, str]:
    """The process that last took a run, and how it was started; 0 where none did."""
    try:
        pid, how = file.read_text().split()
        return int(pid), how
    except (OSError, ValueError):
        return 0, ""


def _file(home: Path, run_id: str) -> Path:
    return home / _FOLDER / run_id
