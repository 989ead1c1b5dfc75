"""Delete runs from Dagster's storage so that their bytes are gone, too.

Dagster keeps the events of a run in a SQLite file of its own, empties it and leaves it; what goes from its shared files
leaves room in them, and no smaller file. Deliberately absent: PostgreSQL, whose autovacuum does both, and which runs.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from dagster import DagsterInstance
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage

from resources.dagster.workers import forget
from resources.history.database import has_room

_BUSY_SECONDS = 10


def delete_run(instance: DagsterInstance, run_id: str) -> None:
    """Delete a finished run, its events and the logs of its steps."""
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)
    forget(Path(instance.root_directory), run_id)
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        events = Path(storage.path_for_shard(run_id))
        for file in (events, *(events.with_name(events.name + suffix) for suffix in ("-wal", "-shm"))):
            file.unlink(missing_ok=True)


def vacuum(instance: DagsterInstance) -> list[str]:
    """Shrink the shared files of a SQLite storage; returns those that somebody writes to, which keep their size."""
    return [str(file) for file in _shared_files(instance) if not _shrunk(file)]


def _shared_files(instance: DagsterInstance) -> list[Path]:
    files = []
    if isinstance(instance.event_log_storage, SqliteEventLogStorage):
        files.append(Path(instance.event_log_storage.path_for_shard("index")))
    if isinstance(instance.run_storage, SqliteRunStorage):
        files.append(Path(instance.root_directory) / "history" / "runs.db")
    return [file for file in files if file.exists()]


def _shrunk(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
            if has_room(lambda pragma: int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])):
                connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError:
        return False
    return True
