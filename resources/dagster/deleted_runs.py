"""Delete runs from Dagster's storage so that their bytes are gone, too.

Dagster keeps the events of a run in a SQLite file of its own, empties it and leaves it; what goes from its shared files
leaves room in them, and no smaller file. Deliberately absent: PostgreSQL, whose autovacuum does both, and which runs.
"""

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path

from dagster import DagsterInstance, RunsFilter
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage

from infraaudit_domain.dagster_names import PARTITION
from resources.dagster.workers import forget
from resources.history.database import has_room

_BUSY_SECONDS = 10
_AT_ONCE = 500
"""SQLite takes no more than 999 values in a query where it is old."""


def finished_runs(instance: DagsterInstance, shas: Sequence[str], jobs: Collection[str]) -> list[str]:
    """The ids of the finished runs of these jobs for these commits: few queries, however many the commits are."""
    found = []
    for start in range(0, len(shas), _AT_ONCE):
        some = RunsFilter(tags={PARTITION: shas[start : start + _AT_ONCE]}, statuses=FINISHED_STATUSES)
        found += [run.run_id for run in instance.get_runs(some) if run.job_name in jobs]
    return found


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
