"""File locks between processes of this machine. The kernel frees them with their holder, also after SIGKILL.

They are flock(2) itself: the filelock library empties the file that it locks, which a deployment's lock must keep, and
polls where the kernel can wait.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def locked(path: Path) -> Iterator[IO[str]]:
    """Wait for the lock, and hold it; yields the file, whose content the next holder finds."""
    with _opened(path) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream


@contextmanager
def locked_within(path: Path, seconds: float) -> Iterator[bool]:
    """Wait for the lock for some seconds; returns whether it is held. With 0 seconds: only where it is free."""
    end = time.monotonic() + seconds
    with _opened(path) as stream:
        while not (held := _try(stream)) and time.monotonic() < end:
            time.sleep(0.05)
        yield held


def _opened(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a+")


def _try(stream: IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
