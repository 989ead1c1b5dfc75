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


class Worker(Enum):
    """The state of the process of a run."""

    UNKNOWN = "unknown"
    """None of this machine took it, or it ended."""
    ALIVE = "alive"
    GONE = "gone"


@contextmanager
def working_on(home: Path, run_id: str) -> Iterator[None]:
    """Show this process as the worker of a run, for the time of the block."""
    file = _file(home, run_id)
    if state_of(home, run_id) is Worker.ALIVE and pid_of(home, run_id) == os.getpid():
        yield
        return
    file.parent.mkdir(mode=0o700, exist_ok=True)
    # Locked before it has its name, so that nobody sees it unlocked while we live.
    new = file.with_suffix(f".{os.getpid()}")
    with new.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(str(os.getpid()))
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


def pid_of(home: Path, run_id: str) -> int | None:
    """The process that last took a run; None where none of this machine did."""
    try:
        return int(_file(home, run_id).read_text())
    except (OSError, ValueError):
        return None


def interrupt(home: Path, run_id: str) -> bool:
    """Interrupt the process of a run, as Ctrl-C does; returns whether there is one."""
    pid = pid_of(home, run_id)
    if pid is None or state_of(home, run_id) is not Worker.ALIVE:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
        return True
    return False


def _file(home: Path, run_id: str) -> Path:
    return home / _FOLDER / run_id
