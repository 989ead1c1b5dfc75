"""The same order in every folder and on every machine, so that the same files have the same findings.

Checkov goes through folders as the file system lists them, and through sets of paths, whose order depends on the name of
the folder that the files lie in; what it puts in for variables depends on that order. Deliberately absent: the order of
texts in sets, which PYTHONHASHSEED keeps (parent.py).
"""

import os
import pathlib
from collections.abc import Iterator
from types import TracebackType
from typing import Any

_scandir, _listdir = os.scandir, os.listdir


class _Sorted:
    """What os.scandir answers, sorted by name."""

    def __init__(self, *arguments: Any) -> None:
        with _scandir(*arguments) as found:
            self._found: Iterator[os.DirEntry[Any]] = iter(sorted(found, key=lambda entry: entry.name))

    def __iter__(self) -> Iterator[os.DirEntry[Any]]:
        return self._found

    def __next__(self) -> os.DirEntry[Any]:
        return next(self._found)

    def __enter__(self) -> "_Sorted":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open any more."""


def keep_order(root: str) -> None:
    """Have this process list folders by name, and hash the paths of a tree as if it had no folder above it."""
    os.scandir = _Sorted  # type: ignore[assignment]
    os.listdir = lambda *arguments: sorted(_listdir(*arguments))  # type: ignore[assignment]
    above = pathlib.PurePath(root).parts
    original = pathlib.PurePath.__hash__

    def hashed(path: pathlib.PurePath) -> int:
        parts = path.parts
        return hash(parts[len(above) :]) if parts[: len(above)] == above else original(path)

    pathlib.PurePath.__hash__ = hashed  # type: ignore[method-assign, assignment]
