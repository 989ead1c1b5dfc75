"""Folders that outlive a scanner: tables of grammars for every installation of a user, parsed files for one of them.

The two are apart because the first hold pickles, which only a primed parent writes and reads; the second hold JSON
that scans leave to the next ones. Deliberately absent: results of scans (resources/history).
"""

import os
import stat
from pathlib import Path


def grammar_folder(state: Path) -> Path:
    """A private folder for the tables that Lark builds: 10 CPU seconds, the same for every state folder.

    Lark names a table by its grammar and its own version. Where the user's cache folder is not to be had, or others
    may write to it, each state folder has its own tables.
    """
    import platformdirs

    shared = platformdirs.user_cache_path("infraaudit", appauthor=False) / "checkov-grammars"
    return shared if is_private(shared) else _made(state / "grammars")


def parsed_folder(state: Path) -> Path:
    """Where scans of one installation leave what they parsed and evaluated to the next."""
    return _made(state / "parsed")


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def is_private(folder: Path) -> bool:
    """Whether a folder, made where it is missing, is ours and nobody else may write to it; a link is not."""
    try:
        status = _made(folder).lstat()
    except OSError:
        return False
    others = stat.S_IWGRP | stat.S_IWOTH
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & others
        and os.access(folder, os.W_OK)
    )
