"""Dagster's SQLite storages in a process that executes runs: one engine a file, which keeps what it compiled.

Dagster makes an engine for each event, which learns the dialect and compiles its statements anew. An engine without a
pool holds no connection, so that forks may share it. Deliberately absent: what is stored, and PostgreSQL, whose storages
keep their engines.
"""

from functools import cache
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool, Pool


def keep_engines() -> None:
    """Have the SQLite storages of this process, and of its forks, keep their engines."""
    for storage in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        storage.create_engine = _engine  # type: ignore[attr-defined]


def _engine(url: str, poolclass: type[Pool], connect_args: dict[str, Any] | None = None) -> Engine:
    assert poolclass is NullPool, "The connections of a pool cannot be shared with forks."
    return _kept(url, *(connect_args or {}).items())


@cache
def _kept(url: str, *connect_args: tuple[str, Any]) -> Engine:
    return create_engine(url, poolclass=NullPool, connect_args=dict(connect_args))
