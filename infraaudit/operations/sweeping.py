"""Remove from the state folder what killed processes left: checkouts, scratch folders of scans, clones never finished.

What is younger than any process that would use it may be is left alone. Deliberately absent: locks and parts of a mirror,
which its next fetch heals, and containers, which the next test run removes.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from infraaudit_domain.errors import ScanError
from resources.checkov import tree
from resources.git.healing import CLONE_PREFIX
from resources.machine.state_folder import StateFolder

OLD_HOURS = 6.0
"""No run lasts as long, nor does a clone."""


def sweep(state: StateFolder) -> list[Path]:
    """Remove what is left over; returns what went."""
    gone = []
    for path in _leftovers(state):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > OLD_HOURS * 3600:
                shutil.rmtree(path)
                gone.append(path)
    if state.scans.is_dir():
        with suppress(ScanError):  # Where no folder is private, no scan has left anything.
            gone += tree.sweep(tree.neutral_folder(state.scans))
    return gone


def _leftovers(state: StateFolder) -> Iterator[Path]:
    yield from (path for path in state.checkouts.glob("*-*") if path.is_dir())
    yield from state.mirrors.glob(f"{CLONE_PREFIX}*")
    for kind in (".backup-*", ".restore-*"):
        yield from state.path.glob(kind)
