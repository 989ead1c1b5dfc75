"""When a framework crashes: find the files that break it, and scan the rest.

Bisecting finds a few bad files among thousands in a few dozen short processes. Deliberately absent: always scanning
file by file, which would lose every check that spans files.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from resources.checkov.limits import ScanLimits
from resources.checkov.tree import link_files


class KilledError(Exception):
    """An attempt was ended from outside: whether its files are bad is unknown."""


Attempt = Callable[[Path, float], str]
"""Scan a tree within so many seconds; returns what went wrong, or an empty text. Raises KilledError."""


@dataclass(slots=True)
class Search:
    """The files of a tree that break an attempt."""

    tree: Path
    work: Path
    attempt: Attempt
    limits: ScanLimits
    spent: int = 0
    deadline: float = 0.0

    def culprits(self, paths: Sequence[str]) -> list[tuple[str, str]] | None:
        """Files that fail alone, with the reason; None where they cannot be found within the limits."""
        self.deadline = time.monotonic() + self.limits.seconds
        try:
            return self._halve(list(paths), is_known_bad=True)
        except (TimeoutError, KilledError):
            return None

    def _halve(self, paths: list[str], is_known_bad: bool = False) -> list[tuple[str, str]]:
        reason = "" if is_known_bad and len(paths) > 1 else self._try(paths)
        if len(paths) == 1:
            return [(paths[0], reason)] if reason else []
        if not reason and not is_known_bad:
            return []
        middle = len(paths) // 2
        return self._halve(paths[:middle]) + self._halve(paths[middle:])

    def _try(self, paths: list[str]) -> str:
        self.spent += 1
        if self.spent > self.limits.attempts or time.monotonic() > self.deadline:
            raise TimeoutError
        folder = Path(tempfile.mkdtemp(dir=self.work, prefix="part-"))
        try:
            link_files(self.tree, paths, folder)
            return self.attempt(folder, max(5.0, self.limits.seconds / 20))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
