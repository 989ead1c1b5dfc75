"""Copy a whole history from one database into another, in one transaction: SQLite to PostgreSQL, and back.

The portable form of a history is an SQLite file. Deliberately absent: merging two histories.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.errors import HistoryError
from resources.history import schema
from resources.history.store import History

_ROWS = 1000
_NO_FACTS = (schema.projects, schema.severities, schema.looks)


def copy_history(source: History, target: History, on_table: Callable[[str, int], None] = lambda _t, _n: None) -> int:
    """Copy every row into an empty history; returns how many. All or nothing, from one snapshot.

    Lines of the target's audit log stay; the copied ones follow them. Both must be migrated. Raises HistoryError where the target holds anything, or does not hold all at the end.
    """
    copied = 0
    with source.snapshot() as reading, target.writing() as writing:
        _expect_empty(writing, target)
        # Every role records the projects of the projects file and the severities at its start.
        for table in _NO_FACTS:
            writing.execute(table.delete())
        for table in schema.metadata.sorted_tables:
            number = _copy_table(reading, writing, table)
            on_table(table.name, number)
            copied += number
    return copied


def open_file(path: Path) -> History:
    """The history in an SQLite file, migrated. Raises HistoryError where there is no such file, or it is none."""
    if not path.is_file():
        raise HistoryError(
            f"There is no file {path}; give one that `infraaudit history export` wrote, or a history.db."
        )
    history = History(f"sqlite:///{path.resolve()}")
    history.migrate()
    return history


def expect_empty(history: History) -> None:
    """Raises HistoryError where a history holds a fact; the projects file's projects and the audit log are none.

    `infraaudit projects add` writes a line of the log, and nothing may delete it.
    """
    with history.reading() as connection:
        _expect_empty(connection, history)


def _expect_empty(connection: sa.Connection, history: History) -> None:
    for table in schema.metadata.sorted_tables:
        if (
            table not in (*_NO_FACTS, schema.audit_log)
            and connection.execute(sa.select(table).limit(1)).first() is not None
        ):
            raise HistoryError(f"{history.location} already holds a history ({table.name}). Use a new, empty database.")


def _copy_table(reading: sa.Connection, writing: sa.Connection, table: sa.Table) -> int:
    count = sa.select(sa.func.count()).select_from(table)
    before, highest = writing.execute(count).scalar_one(), _highest_id(writing) if table is schema.audit_log else 0
    with reading.execute(sa.select(table).execution_options(yield_per=_ROWS)) as rows:
        number = 0
        for some in rows.mappings().partitions():
            writing.execute(table.insert(), [_after(highest, dict(row)) for row in some])
            number += len(some)
    stored = writing.execute(count).scalar_one() - before
    if stored != number:
        raise HistoryError(f"Only {stored} of {number} rows of {table.name} arrived; nothing was kept.")
    _go_on_counting(writing, table)
    return number


def _highest_id(writing: sa.Connection) -> int:
    return int(writing.execute(sa.select(sa.func.coalesce(sa.func.max(schema.audit_log.c.id), 0))).scalar_one())


def _after(highest: int, row: dict[str, Any]) -> dict[str, Any]:
    return row | {"id": row["id"] + highest} if highest else row


def _go_on_counting(writing: sa.Connection, table: sa.Table) -> None:
    """PostgreSQL numbers new rows by a sequence, which inserting rows with given numbers does not advance."""
    column = table.autoincrement_column
    if column is None or writing.dialect.name != "postgresql":
        return
    highest = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
    writing.execute(sa.select(sa.func.setval(sa.func.pg_get_serial_sequence(table.name, column.name), highest, False)))
