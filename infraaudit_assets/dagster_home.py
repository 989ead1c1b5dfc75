"""Dagster's home in the state folder. Dagster itself is deliberately not imported: it is slow to import.

Our dagster.yaml goes there under a first line with the digest of the text below it. While the two agree nobody has
edited it, and a newer text of ours replaces it. What was edited stays, and what it lacks is reported.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from infraaudit_assets.settings import Settings
from infraaudit_domain.errors import DiskFullError
from resources.machine.atomic_file import READABLE, write_atomically

_ROOM_TO_START = 50_000_000
"""Bytes; what a first run writes besides the mirror of a small repository is a tenth of it."""
ROOM_TO_WRITE = 1_000_000
_UNSIGNED = {
    "4ffa2b8516cd447d9ea9245119333bfbde56bb3a25ca7a2976df24af2ce26789",
    "57407d2c270580c9f700fd0983bcefe1cc76de1d46fbff1f0d0366d25082f943",
    "dde7b3d267183048e099fbf08a75d46c6c1180c740c029002c63ecd957094bdc",
    "7d3338c4c469f81d9d30cb130965d61c93d2d028f89431ae755e593dee6b87a4",
}
"""Digests of what we wrote before there was a first line."""


def prepare_dagster_home(current: Settings) -> Path:
    """Make Dagster's home under the state folder, with our newest dagster.yaml, and point this process to it.

    Where an edited one was kept, standard error says so. Raises DiskFullError.
    """
    require_room(current.state.path, _ROOM_TO_START)
    file, ours = instance_file(current), _signed(_shipped_file(current).read_text())
    found = file.read_text() if file.exists() else None
    if found is None or (_is_ours(found) and found != ours):
        write_atomically(file, ours.encode(), READABLE)
    elif advice := advice_on_edited_file(current):
        print(f"infraaudit: {advice}", file=sys.stderr)
    os.environ["DAGSTER_HOME"] = str(file.parent)
    return file.parent


def advice_on_edited_file(current: Settings) -> str | None:
    """What to do about a dagster.yaml that was edited and is not made from our newest text; None where all is well.

    Who names a home, to us or to Dagster, looks after its file. So do the commands that another one of ours starts.
    """
    file, shipped = instance_file(current), _shipped_file(current)
    if current.dagster_home or os.environ.get("DAGSTER_HOME") == str(file.parent) or not file.exists():
        return None
    found = file.read_text()
    if _is_ours(found) or found.startswith(_first_line(shipped.read_text())):
        return None
    return (
        f"{file} was edited, so it stays as it is and lacks what is newer in {shipped}. "
        "Move it away, start again, and make your changes in the new one."
    )


def require_room(state: Path, bytes_free: int, cause: Exception | None = None) -> None:
    """Raise DiskFullError where the state folder's disk has less room."""
    state.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(state).free
    if free < bytes_free:
        raise DiskFullError(
            f"The disk of {state} is full: {free / 1e6:.1f} MB are free. Free {_ROOM_TO_START / 1e6:.0f} MB there, or "
            "set INFRAAUDIT_HOME to another disk; then run the commit again."
        ) from cause


def instance_file(current: Settings) -> Path:
    return (current.dagster_home or current.state.dagster) / "dagster.yaml"


def _shipped_file(current: Settings) -> Path:
    return current.shipped / "dagster" / "dagster.yaml"


def _signed(text: str) -> str:
    return _first_line(text) + text


def _first_line(text: str) -> str:
    return f"# Written by infraaudit, which brings it up to date until you edit it. Digest: {_digest(text)}\n"


def _is_ours(text: str) -> bool:
    _, _, rest = text.partition("\n")
    return text == _signed(rest) or _digest(text) in _UNSIGNED


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
