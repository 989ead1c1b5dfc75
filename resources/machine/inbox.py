"""A folder of small files, each written durably before it counts: items that were received and are not yet processed.

A file and not a row of the history, because the answer to a webhook must wait neither for other writes nor for a
database on another machine. Deliberately absent: what the files mean.
"""

import os
from collections.abc import Iterator
from pathlib import Path

_LARGEST = 16 * 1024 * 1024


class Inbox:
    """One folder, on a local disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, content: bytes) -> bool:
        """Store a file, so that it survives a crash of the machine; False where its name exists. Raises OSError."""
        target, fresh = self._folder / name, self._folder / f".{name}.{os.urandom(4).hex()}"
        if target.exists():
            return False
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(fresh, target)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        self._sync()
        return True

    def has(self, begin: str) -> bool:
        """Whether there is a file whose name begins so."""
        return any(entry.name.startswith(begin) for entry in os.scandir(self._folder))

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Every file, oldest first; what is none, or none of ours by its size, is set aside."""
        files = [entry for entry in os.scandir(self._folder) if not entry.name.startswith(".")]
        for entry in sorted(files, key=lambda entry: entry.stat().st_mtime_ns):
            if not entry.is_file(follow_symlinks=False) or entry.stat().st_size > _LARGEST:
                self.set_aside(entry.name)
                continue
            yield entry.name, Path(entry.path).read_bytes()

    def remove(self, name: str) -> None:
        """Remove a file that was processed."""
        (self._folder / name).unlink(missing_ok=True)

    def set_aside(self, name: str) -> None:
        """Keep a file that cannot be processed, under a name that ``items`` skips."""
        os.replace(self._folder / name, self._folder / f".refused-{name}")

    def _sync(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
