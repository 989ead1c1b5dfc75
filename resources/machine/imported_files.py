"""Which files this process was imported from, and whether they are still the same.

Our own modules by time and size, libraries by the folders that installing changes, configuration by content.
Deliberately absent: modules that are imported later; those are of the day on which they are imported.
"""

import hashlib
import os
import sys
import sysconfig
from pathlib import Path

_based_on: dict[Path, str] = {}


def based_on(path: Path) -> None:
    """Note that what is imported depends on the content of a file; call it before that is read."""
    _based_on[path.resolve()] = _digest(path)


class ImportedFiles:
    """The files of every module that was imported so far, as they are now."""

    def __init__(self) -> None:
        libraries = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
        files = {str(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
        own = {path for path in files if not path.startswith(libraries)}
        installed = {path for path in sys.path if path.startswith(libraries) and os.path.isdir(path)}
        self._states = {path: _state(path) for path in own | installed}

    def newest(self) -> float:
        """When the last of them changed, in Unix time."""
        return max((time for time, _ in self._states.values()), default=0) / 1e9

    def have_changed(self) -> bool:
        """Whether any of them is another now."""
        return any(_state(path) != was for path, was in self._states.items()) or any(
            _digest(path) != was for path, was in _based_on.items()
        )


def _state(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return 0, -1
    return status.st_mtime_ns, status.st_size


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return type(error).__name__
