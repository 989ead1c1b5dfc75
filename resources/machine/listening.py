"""A process that listens on a private Unix socket under a name, started by the first who needs it and left behind.

Both sides are here: finding or starting it, and becoming it. Deliberately absent: what is said (warm.py for runs,
resources/checkov for scans).
"""

import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from resources.machine.locks import locked

_SECONDS_TO_LEAVE, _SECONDS_TO_START = 30, 120
_SECONDS_TO_CONNECT = 5
"""Where so many wait that the kernel takes no more, nobody is answered soon."""


def reached(
    folder: Path, name: str, words: Sequence[str], environment: Mapping[str, str] | None = None
) -> socket.socket | None:
    """A connection to who listens under a name in a private folder, started by Python's ``words`` where nobody does.

    None where it does not start; its last words are then in the folder's log. The one that starts says ``ready`` when
    it listens, and leaves our session.
    """
    made = private(folder)
    if (found := connect(made, name)) is not None:
        return found
    with locked(made / f"{name}.lock"):
        if (found := connect(made, name)) is not None:
            return found
        return connect(made, name) if _launched(made, words, environment) else None


def _launched(folder: Path, words: Sequence[str], environment: Mapping[str, str] | None) -> bool:
    with (folder / "log").open("wb") as log:
        first = subprocess.Popen(
            [sys.executable, *words], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
        )
    assert first.stdout is not None
    with first.stdout as said:
        first.wait(_SECONDS_TO_LEAVE)
        return bool(select.select([said], [], [], _SECONDS_TO_START)[0]) and os.read(said.fileno(), 16) == b"ready\n"


def inherited() -> tuple[object, ...]:
    """What a process hands down to its forks: who shares one has to have the same user, groups, limits and namespaces."""
    links = tuple(os.readlink(f"/proc/self/ns/{kind}") for kind in ("pid", "mnt", "net", "user"))
    limits = [resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")]
    priority = os.getpriority(os.PRIO_PROCESS, 0)
    cgroup = Path("/proc/self/cgroup").read_text()
    return os.geteuid(), os.getegid(), sorted(os.getgroups()), links, socket.gethostname(), limits, priority, cgroup


def leave() -> None:
    """Leave the session of who started this process, which need not wait for our end."""
    if os.fork():
        os._exit(0)
    os.setsid()


def reap_children() -> None:
    """Have children be reaped as they end, and their CPU time be counted as this process's."""

    def reap(*_: object) -> None:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    signal.signal(signal.SIGCHLD, reap)


def say_ready() -> None:
    """Answer who started this process, and let go of its input and output."""
    os.write(1, b"ready\n")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nowhere, number)
    os.close(nowhere)


def private(folder: Path) -> Path:
    """The folder, made where it is missing. Raises PermissionError where others may enter it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} is open to other users; remove it.")
    return folder


def connect(folder: Path, name: str) -> socket.socket | None:
    """A connection to who listens under a name; None where nobody does."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_SECONDS_TO_CONNECT)
    with _short(folder) as short:
        try:
            connection.connect(f"{short}/{name}.socket")
            connection.settimeout(None)
            return connection
        except OSError:
            connection.close()
            return None


@contextmanager
def bound(folder: Path, name: str) -> Iterator[socket.socket]:
    """Listen under a name, in place of whoever did before, until the block ends."""
    file = folder / f"{name}.socket"
    with socket.socket(socket.AF_UNIX) as listener:
        before = os.umask(0o177)
        with _short(folder) as short:
            listener.bind(f"{short}/{name}.{os.getpid()}")
        os.umask(before)
        listener.listen(64)
        own = file.with_suffix(f".{os.getpid()}").rename(file).stat().st_ino
        try:
            yield listener
        finally:
            with suppress(OSError):
                if file.stat().st_ino == own:
                    file.unlink()


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A short name of a folder: a socket's may have 107 characters."""
    descriptor = os.open(folder, os.O_PATH)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
