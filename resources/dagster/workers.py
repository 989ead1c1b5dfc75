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
from functools import cache
from pathlib import Path
from typing import NamedTuple

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
    if is_alive(home, run_id):  # By us already; or by another one, and Dagster refuses the second.
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    # Locked before it has its name, so that nobody sees it unlocked while we live.
    new = file.with_suffix(f".{os.getpid()}")
    with new.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(f"{os.getpid()} {how} {_here()} {_machine()}")
        stream.flush()
        new.rename(file)
        try:
            yield
        finally:
            with suppress(OSError):
                if file.stat().st_ino == os.fstat(stream.fileno()).st_ino:
                    file.unlink()


def state_of(home: Path, run_id: str) -> Worker:
    """Whether the process that executes a run is alive; unknown where another machine or container had it."""
    file = _file(home, run_id)
    try:
        with file.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, PermissionError):
        return Worker.UNKNOWN
    except BlockingIOError:
        return Worker.ALIVE
    # Some file systems keep locks on their own machine: free is then no proof.
    holder = _holder(file)
    has_restarted = holder.machine == _machine() != "" and not holder.where.startswith(f"{_boot()}:")
    return Worker.GONE if holder.where == _here() or has_restarted else Worker.UNKNOWN


def is_alive(home: Path, run_id: str) -> bool:
    """Whether a process of this machine executes a run."""
    return state_of(home, run_id) is Worker.ALIVE


def is_known(home: Path, run_id: str) -> bool:
    """Whether a process has taken a run, here or elsewhere, and not ended as it should."""
    return _file(home, run_id).exists()


def interrupt(home: Path, run_id: str) -> bool:
    """Interrupt the process of a run, as Ctrl-C does; returns whether there is one."""
    return is_alive(home, run_id) and _signalled(_file(home, run_id), signal.SIGINT)


def is_launched(home: Path, run_id: str) -> bool:
    """Whether a process executes a run that the launcher of runs started."""
    return is_alive(home, run_id) and _holder(_file(home, run_id)).how == LAUNCHED


def launched(home: Path) -> list[str]:
    """The runs that were launched and go on; not those in a terminal."""
    return [file.name for file in (home / _FOLDER).glob("*") if is_launched(home, file.name)]


def gone(home: Path) -> list[str]:
    """The runs whose processes are gone and have left their files."""
    return [file.name for file in (home / _FOLDER).glob("*") if state_of(home, file.name) is Worker.GONE]


def kill_launched(home: Path) -> None:
    """Kill the processes of all runs that were launched, and with each what it started."""
    for run_id in launched(home):
        _signalled(_file(home, run_id), signal.SIGKILL)


def forget(home: Path, run_id: str) -> None:
    """Remove what a process that is gone has left of a run."""
    if not is_alive(home, run_id):
        for file in (home / _FOLDER).glob(f"{run_id}*"):
            file.unlink(missing_ok=True)


class _Holder(NamedTuple):
    """The process that last took a run, how it was started, and where its number means it; 0 where none did."""

    pid: int = 0
    how: str = ""
    where: str = ""
    machine: str = ""
    """Its machine, whenever that started; empty where it has no name for itself, as containers have none."""


def _signalled(file: Path, number: signal.Signals) -> bool:
    holder = _holder(file)
    if holder.pid <= 0 or holder.where != _here():
        return False
    try:
        os.kill(holder.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _holder(file: Path) -> _Holder:
    try:
        pid, how, where, *machine = file.read_text().split()
        return _Holder(int(pid), how, where, *machine)
    except (OSError, ValueError, TypeError):
        return _Holder()


@cache
def _here() -> str:
    """This machine since it started, and the numbers of processes that count for us."""
    return f"{_boot()}:{os.readlink('/proc/self/ns/pid')}"


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@cache
def _machine() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip()
    except OSError:
        return ""


def _file(home: Path, run_id: str) -> Path:
    return home / _FOLDER / run_id
