"""Connect to the history's database and bring it to the newest revision.

SQLite in WAL mode, or PostgreSQL by ``postgresql+psycopg2://``. Deliberately absent: what is stored (schema, store).
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from infraaudit_domain.errors import HistoryError, excerpt
from resources.machine.locks import locked

_BUSY_SECONDS = 30
_WORTH_A_VACUUM = 20
"""A file is written anew where a twentieth of it is free."""
_ALEMBIC = threading.Lock()
"""Alembic has one environment per process: two threads that migrate at once would break each other's."""
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATING = 7_310_642_001  # our number among PostgreSQL's advisory locks


def connect(url: str) -> sa.Engine:
    """A pool of connections to a history database. Raises HistoryError for a URL that is none."""
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed)
        return sa.create_engine(parsed, pool_pre_ping=True)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
        raise HistoryError(
            "INFRAAUDIT_DATABASE_URL is no database URL that InfraAudit knows; give sqlite:///path or "
            f"postgresql+psycopg2://user@host/name. ({excerpt(str(error), 200)})"
        ) from error


def _sqlite(url: sa.URL) -> sa.Engine:
    if url.database:
        _make_folder(Path(url.database).parent)
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver's own implicit BEGIN is deferred: two writers that both read first would deadlock into "locked".
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql("BEGIN" if options.get("read_only") else "BEGIN IMMEDIATE")

    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistoryError(
            f"The history's folder {folder} cannot be made: {error.strerror}. Set INFRAAUDIT_HOME."
        ) from error


def migrate(engine: sa.Engine) -> None:
    """Bring the database to the newest revision; does nothing where it is up to date. Raises HistoryError."""
    if _is_newest(engine):
        # Alembic's import costs a quarter of a second, in every process that opens a history.
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with _ALEMBIC, translated(engine), _one_at_a_time(engine), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Every role of an installation migrates when it starts, and they start together.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATING)))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise HistoryError(
                f"The history {engine.url.render_as_string(hide_password=True)} was migrated by a newer version "
                f"({excerpt(str(error), 200)}). Use that version, or restore the backup from before it."
            ) from error


def _is_newest(engine: sa.Engine) -> bool:
    newest = max(path.name for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]
    try:
        with engine.connect().execution_options(read_only=True) as connection:
            return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == [newest]
    except sa.exc.DBAPIError:
        return False


def vacuum(engine: sa.Engine) -> None:
    """Give the room of deleted rows back: a SQLite file shrinks, PostgreSQL uses it for the next rows. Raises HistoryError."""
    with translated(engine):
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text("VACUUM"))
            return
        plain = engine.raw_connection()  # a statement of SQLAlchemy's would begin a transaction, which VACUUM refuses
        try:
            cursor = plain.cursor()
            if has_room(lambda pragma: int(cursor.execute(f"PRAGMA {pragma}").fetchone()[0])):
                cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise sa.exc.OperationalError("VACUUM", None, error) from error
        finally:
            plain.close()


def has_room(pragma: Callable[[str], int]) -> bool:
    """Whether a SQLite file has so much free room that writing it anew, for which all who write wait, is worth it."""
    return pragma("freelist_count") * _WORTH_A_VACUUM >= pragma("page_count")


@contextmanager
def translated(engine: sa.Engine) -> Iterator[None]:
    """Turn what the database library raises into HistoryError."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        location = engine.url.render_as_string(hide_password=True)
        raise HistoryError(
            f"The history {location} failed: {excerpt(str(cause), 300)}. Check that it can be reached, has free space, "
            "and was migrated (`infraaudit doctor` reports both)."
        ) from error


def upsert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]], highest: str = "") -> None:
    """Insert rows, replacing those that have the same primary key; a row whose value of ``highest`` is greater
    stays."""
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    keys = [column.name for column in table.primary_key]
    insert = dialect.insert(table)
    changed = {name: insert.excluded[name] for name in rows[0] if name not in keys}
    higher = insert.excluded[highest] > table.c[highest] if highest else None
    statement = (
        insert.on_conflict_do_update(index_elements=keys, set_=changed, where=higher)
        if changed
        else insert.on_conflict_do_nothing()
    )
    connection.execute(statement, rows)


@contextmanager
def _one_at_a_time(engine: sa.Engine) -> Iterator[None]:
    if engine.dialect.name != "sqlite" or not engine.url.database:
        yield
        return
    with locked(Path(f"{engine.url.database}.migrating")):
        yield
