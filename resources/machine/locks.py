"""File locks between processes of this machine. The kernel frees them with their holder, also after SIGKILL.

They are flock(2) itself: the filelock library empties the file that it locks, which a deployment's lock must keep, and
polls where the kernel can wait.
"""

import fcntl
import os
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


@contextmanager
def locked_folder(path: Path) -> Iterator[None]:
    """Wait for the lock of a folder, and hold it; no file is left in it, as where somebody keeps their own files."""
    path.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a+")


def _try(stream: IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
