"""How much disk the files below a folder take, while others write there. Deliberately absent: freeing it."""

import os
import stat
from contextlib import suppress
from pathlib import Path


def bytes_below(folder: Path) -> int:
    """The bytes of the regular files below a folder; what vanishes or cannot be read meanwhile counts nothing."""
    total = 0
    # Not rglob: until Python 3.13 it raises where a folder vanishes between being listed and being entered.
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                status = os.lstat(os.path.join(parent, name))
                total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total
