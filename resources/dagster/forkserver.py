"""The process that the steps of a run are forked from, with everything that they need already imported."""

import multiprocessing.forkserver

PRELOAD = [
    "dagster._core.executor.multiprocess",
    "infraaudit_assets.definitions",
    "dagster._cli",
    "dagster._core.execution.api",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.storage.runs",
    "dagster._core.storage.event_log",
    "dagster._core.storage.schedules",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.fs_io_manager",
    "upath.implementations.local",
    "sqlalchemy.dialects.sqlite",
    "alembic.command",
    "resources.history",
]


def start_forkserver() -> None:
    """Start it before Dagster does, so that it imports while this process does the same.

    It keeps the environment, the working directory and the output of this moment, and hands them to every step.
    """
    multiprocessing.forkserver.set_forkserver_preload(PRELOAD)
    multiprocessing.forkserver.ensure_running()
