"""The disk of a box: an ext4 filesystem in a sparse file, mounted where only the box sees it.

A user who is not root cannot mount one; the box of such a user keeps its data in a folder, and its keeper ends the box
when the filesystem below has lost more than the limit. Deliberately absent: a journal (what the disk holds is a cache,
and is made anew when it is broken).
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infraaudit_domain.errors import ToolError
from resources.engine.box.identities import Identities
from resources.machine import process

_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Disk:
    """Where a box keeps images and cache."""

    folder: Path
    megabytes: int
    owner: Identities

    @property
    def is_own_filesystem(self) -> bool:
        return os.geteuid() == 0

    def open(self, place: Path) -> str:
        """Mount it at a folder, in this process's own mount namespace, and return the path of its root.

        Raises OSError or ToolError.
        """
        if not self.is_own_filesystem:
            data = self.folder / "disk"
            data.mkdir(exist_ok=True, mode=0o700)
            return str(data)
        try:
            self._mount(place)
        except ToolError:
            # A power cut leaves a filesystem without a journal broken.
            self.discard()
            self._mount(place)
        return str(place)

    def discard(self) -> None:
        """Throw away all that it holds."""
        with suppress(FileNotFoundError):
            self._file.unlink()

    def _mount(self, place: Path) -> None:
        if not self._file.exists() or self._file.stat().st_size != self.megabytes * _MEGABYTE:
            self._make()
        process.run(["e2fsck", "-p", str(self._file)], timeout=300, check=False)
        # Deleted files give their bytes back to the host. No flags: one that is locked here stops BuildKit, which mounts
        # without it.
        process.run(["mount", "-o", "loop,discard", str(self._file), str(place)], timeout=60)

    def _make(self) -> None:
        fresh = self._file.with_suffix(".new")
        with fresh.open("wb") as stream:
            stream.truncate(self.megabytes * _MEGABYTE)
        extras = f"root_owner={self.owner.root}:{self.owner.root},nodiscard,lazy_itable_init=1"
        process.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", "-E", extras, str(fresh)], timeout=120)
        fresh.chmod(0o600)
        fresh.replace(self._file)

    @property
    def _file(self) -> Path:
        return self.folder / "disk.ext4"


def used_megabytes(path: str) -> int:
    """How much of the filesystem of a path is used."""
    found = os.statvfs(path)
    return (found.f_blocks - found.f_bfree) * found.f_frsize // _MEGABYTE


def free_megabytes(path: str) -> int:
    """How much is left in the filesystem of a path."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize // _MEGABYTE
