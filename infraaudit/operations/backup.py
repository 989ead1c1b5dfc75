"""An installation's state as one archive: the history as a portable file, kept reports, logs, Dagster's own SQLite.

Left out: files that can be made again (mirrors, checkouts), and hidden ones in the state folder: scratch and, in the
image, where it is the home, Git's credentials. Deliberately absent: Dagster's tables in PostgreSQL (pg_dump saves
those; docs/operations.md), and the settings, which are kept with the deployment.
"""

import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from infraaudit_domain.errors import ConfigurationError, HistoryError
from resources.checkov.secret_key import KEY_FILE
from resources.history import History
from resources.history.transfer import copy_history, expect_empty, open_file
from resources.machine.state_folder import StateFolder
from resources.machine.unpacking import extract

FORMAT = 1
_STATE = StateFolder(Path())
"""Relative paths, the same in every installation's state folder."""
_CACHES = (_STATE.mirrors, _STATE.checkouts, _STATE.scans, _STATE.boxes, _STATE.demo, _STATE.example)
_MADE_AGAIN = {path.name for path in _CACHES}
_SECRET_KEY = _STATE.scans / KEY_FILE
"""With another key every secret already found in code would be a new finding."""
_SIDE_FILES = ("-wal", "-shm", "-journal", ".migrating")


@dataclass(frozen=True, slots=True)
class Backup:
    """The contents of an archive: its ``backup.json``."""

    format: int
    created_at: str
    rows: int
    files: int


def write_backup(archive: Path, history: History, state: Path, reports: Path, now: datetime) -> Backup:
    """Write the archive under a temporary name, then rename it. The installation may keep running.

    Every database is copied from one snapshot; files that are newer than their database are harmless.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".backup-") as scratch:
        folder = Path(scratch)
        portable = History(f"sqlite:///{folder / 'history.db'}")
        portable.migrate()
        rows = copy_history(history, portable)
        portable.close()
        partial = folder / "archive"
        with tarfile.open(partial, "w:gz", compresslevel=6) as tar:
            tar.add(folder / "history.db", "history.db")
            files = _add(tar, state, "state", folder)
            # In the image the reports are in the state's folder.
            files += 0 if reports.is_relative_to(state) else _add(tar, reports, "reports", folder)
            done = Backup(FORMAT, now.isoformat(), rows, files)
            (folder / "backup.json").write_text(json.dumps(asdict(done)))
            tar.add(folder / "backup.json", "backup.json")
        os.chmod(partial, 0o600)
        partial.replace(archive)
    return done


def _add(tar: tarfile.TarFile, root: Path, kind: str, scratch: Path) -> int:
    number = 0
    for path in _files(root):
        source = _as_of_now(path, scratch) if path.suffix == ".db" else path
        try:
            tar.add(source, f"{kind}/{path.relative_to(root)}", recursive=False)
        except FileNotFoundError:  # Compressed or pruned meanwhile.
            continue
        number += 1
    return number


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        if Path(folder) == root:
            folders[:] = sorted(name for name in folders if name not in _MADE_AGAIN and not name.startswith("."))
            names = [name for name in names if not name.startswith((_STATE.history.name, "."))]
        for name in sorted(names):
            path = Path(folder, name)
            if not name.endswith(_SIDE_FILES) and path.is_file() and not path.is_symlink():
                yield path
    if (root / _SECRET_KEY).is_file():
        yield root / _SECRET_KEY


def _as_of_now(database: Path, scratch: Path) -> Path:
    """A copy of an SQLite database while others may write to it."""
    copy = scratch / "copy.db"
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    return copy


def restore_backup(archive: Path, history: History, state: Path, reports: Path) -> Backup:
    """Fill an empty installation. Raises ConfigurationError for a file that is no backup, HistoryError where the
    history is not empty; nothing is changed then."""
    state.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=state, prefix=".restore-") as scratch:
        folder = Path(scratch)
        done = _unpack(archive, folder)
        expect_empty(history)
        if (key := folder / "state" / _SECRET_KEY).is_file():
            key.chmod(0o600)
        # The history comes last: an interrupted restore can simply be started again.
        for kind, root in (("state", state), ("reports", reports)):
            if (folder / kind).is_dir():
                shutil.copytree(folder / kind, root, dirs_exist_ok=True)
        portable = open_file(folder / "history.db")
        copied = copy_history(portable, history)
        portable.close()
        if copied < done.rows:
            raise HistoryError(f"{archive} names {done.rows} rows and holds {copied}; it is damaged.")
    return done


def _unpack(archive: Path, folder: Path) -> Backup:
    try:
        with archive.open("rb") as stream:
            extract(stream, folder)
        said = Backup(**json.loads((folder / "backup.json").read_text()))
    except (OSError, EOFError, tarfile.TarError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{archive} is no backup that can be read ({type(error).__name__}); give a file that `infraaudit backup` wrote."
        ) from error
    if said.format != FORMAT:
        raise ConfigurationError(
            f"{archive} has format {said.format}; this version reads {FORMAT}. Use the version that wrote it."
        )
    return said
