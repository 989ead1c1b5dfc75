"""Read what a program prints: all of it within a limit, whatever the one who listens to its lines does.

Reading and listening are two threads' work, so that a slow listener delays no program and loses no output. Deliberately
absent: starting and ending the program (process.py).
"""

import logging
import os
import select
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import IO

_CHUNK = 65536
_LOOK_SECONDS = 0.5
_SILENCE_SECONDS = 2.0
"""A descendant may hold a pipe open for ever after the program has ended; what the program printed is in it by then."""
_AFTERWARDS_SECONDS = 10.0
"""How long a descendant that keeps printing is listened to."""
_LARGEST_PIPE = 1 << 20
_LINE = 64
"""What a line needs beside its bytes: a program may print nothing but empty ones."""
_LAST_LINES = _LARGEST_PIPE * _LINE
_LISTENER_SECONDS = 60.0
"""How long a slow listener may keep us after a program's end."""
_LOG = logging.getLogger(__name__)


class Listener:
    """Calls ``on_line`` with each line, one at a time and in the order of arrival.

    Lines wait for it in up to ``limit`` bytes of memory; a program that prints more than that has to wait, too. A
    listener that raises is not called again, and the program's output is complete all the same.
    """

    def __init__(self, on_line: Callable[[str], None], limit: int) -> None:
        self._on_line, self._room = on_line, max(limit, _CHUNK)
        self._lines: list[bytes] = []
        self._size = 0
        self._let_in = self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def put(self, lines: Sequence[bytes]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._size <= self._room or self._let_in)
            if self._size > self._room + _LAST_LINES:
                return
            self._lines.extend(lines)
            self._size += sum(map(_cost, lines))
            self._changed.notify_all()

    def let_in(self) -> None:
        """Have nothing wait for the listener any longer: the program has ended, and the rest of its output is small."""
        with self._changed:
            self._room = max(self._room, self._size)
            self._let_in = True
            self._changed.notify_all()

    def finish(self, seconds: float) -> None:
        """Wait until it has heard every line, for at most ``seconds``: what it has not heard then, it never hears."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(seconds)
        if self._thread.is_alive():
            _LOG.warning("The last lines of a program's output are not passed on: that takes more than %g s", seconds)
            self._on_line = _ignore

    def _listen(self) -> None:
        while lines := self._next():
            for line in lines:
                try:
                    self._on_line(line.decode("utf-8", "replace"))
                except Exception:
                    _LOG.exception("Lines of a program's output are no longer passed on")
                    self._on_line = _ignore
                with self._changed:
                    self._size -= _cost(line)
                    self._changed.notify_all()

    def _next(self) -> list[bytes]:
        """The lines that wait; none where no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._closed)
            lines, self._lines = self._lines, []
            return lines


def _cost(line: bytes) -> int:
    return len(line) + _LINE


def _ignore(line: str) -> None:
    pass


class Reader:
    """Drains one stream in a thread, keeping at most ``limit`` bytes."""

    def __init__(self, stream: IO[bytes] | None, limit: int, listener: Listener | None) -> None:
        assert stream is not None
        self._stream, self._limit, self._listener = stream, limit, listener
        self._kept = bytearray()
        self._begun = b""
        self._ended: float | None = None
        self.truncated = False
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def text(self) -> str:
        return bytes(self._kept).decode("utf-8", "replace")

    def end(self) -> None:
        """Take note that the program has ended: what comes from now on is of its descendants."""
        self._ended = monotonic()

    def finish(self) -> bytes:
        """All that was printed, to the stream's end."""
        self._thread.join()
        return bytes(self._kept)

    def _drain(self) -> None:
        descriptor = self._stream.fileno()
        while self._has_more(descriptor) and (chunk := os.read(descriptor, _CHUNK)):
            room = self._limit - len(self._kept)
            self.truncated |= len(chunk) > room
            self._kept += chunk[: max(room, 0)]
            self._pass_on(chunk)
        if self._begun and self._listener:
            self._listener.put([self._begun])

    def _has_more(self, descriptor: int) -> bool:
        """Wait for output. False once the program has ended and what is left of its streams is somebody else's."""
        watch = select.poll()
        watch.register(descriptor, select.POLLIN | select.POLLHUP)
        heard = monotonic()
        while not (found := watch.poll(_LOOK_SECONDS * 1000)):
            if self._ended is not None and monotonic() - max(self._ended, heard) > _SILENCE_SECONDS:
                return False
        return bool(found) and (self._ended is None or monotonic() - self._ended < _AFTERWARDS_SECONDS)

    def _pass_on(self, chunk: bytes) -> None:
        if self._listener is None:
            return
        *lines, self._begun = (self._begun + chunk).split(b"\n")
        while len(self._begun) >= _CHUNK:
            lines.append(self._begun[:_CHUNK])
            self._begun = self._begun[_CHUNK:]
        self._listener.put(lines)


def finish(readers: Sequence[Reader], listener: Listener | None, seconds: float = _LISTENER_SECONDS) -> list[bytes]:
    """What each stream held, once the program has ended; the listener has heard it, or had ``seconds`` for it."""
    if listener is not None:
        listener.let_in()
    for reader in readers:
        reader.end()
    outputs = [reader.finish() for reader in readers]
    if listener is not None:
        listener.finish(seconds)
    return outputs
