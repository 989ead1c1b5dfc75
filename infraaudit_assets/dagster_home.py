"""Dagster's home in the state folder. Dagster itself is deliberately not imported: see forkserver.py."""

import os
import shutil
from pathlib import Path

from infraaudit_assets.domain.errors import DiskFullError
from infraaudit_assets.settings import Settings

_ROOM_TO_START = 50_000_000
"""Bytes; what a first run writes besides the mirror of a small repository is a tenth of it."""
ROOM_TO_WRITE = 1_000_000


def prepare_dagster_home(current: Settings) -> Path:
    """Make Dagster's home under the state folder, with our dagster.yaml, and point this process to it.

    A home that the settings name is left as it is. Raises DiskFullError.
    """
    require_room(current.state, _ROOM_TO_START)
    home = current.dagster_home or current.state / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(current.shipped / "dagster" / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def require_room(state: Path, bytes_free: int, cause: Exception | None = None) -> None:
    """Raise DiskFullError where the state folder's disk has less room."""
    state.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(state).free
    if free < bytes_free:
        raise DiskFullError(
            f"The disk of {state} is full: {free / 1e6:.1f} MB are free. Free {_ROOM_TO_START / 1e6:.0f} MB there, or "
            "set INFRAAUDIT_HOME to another disk; then run the commit again."
        ) from cause
