"""Folders that outlive a scanner: grammar tables, shared by all installations of a user, and parsed files, of one
installation.

They are separate because the tables are pickles, which only a primed parent writes and reads; the parsed files are JSON
that one scan leaves for the next. Deliberately absent: results of scans (resources/history).
"""

import os
import stat
from pathlib import Path


def grammar_folder(state: Path) -> Path:
    """A private folder for the tables that Lark builds: 10 CPU seconds, the same for every state folder.

    Lark names a table by its grammar and its own version. Where the user's cache folder is unavailable or writable by
    others, each state folder has its own tables.
    """
    import platformdirs

    shared = platformdirs.user_cache_path("infraaudit", appauthor=False) / "checkov-grammars"
    return shared if is_private(shared) else _made(state / "grammars")


def parsed_folder(state: Path) -> Path:
    """Where scans of one installation keep what they parsed and evaluated, for the next scan."""
    return _made(state / "parsed")


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def is_private(folder: Path) -> bool:
    """Whether a folder, made where it is missing, belongs to us and nobody else may write to it; a link does not
    count."""
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
