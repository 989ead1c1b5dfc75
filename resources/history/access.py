"""The one way to the history's database: read, or write in one transaction; errors of the library are translated.

Deliberately absent: what is stored, and how (store.py and its neighbours).
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import sqlalchemy as sa

from resources.history.database import connect, migrate, translated, vacuum


class Access:
    """A pool of connections to one history database."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url)

    def migrate(self) -> None:
        """Bring the database to the newest revision. Raises HistoryError."""
        migrate(self._engine)

    def vacuum(self) -> None:
        """Give the room of deleted rows back. Raises HistoryError, for example where others write all the time."""
        vacuum(self._engine)

    @contextmanager
    def reading(self, **options: str) -> Iterator[sa.Connection]:
        """A connection that only reads; ``options`` are SQLAlchemy's execution options. Raises HistoryError."""
        with (
            translated(self._engine),
            self._engine.connect().execution_options(read_only=True, **options) as connection,
        ):
            yield connection

    def snapshot(self) -> AbstractContextManager[sa.Connection]:
        """A connection whose reads all see one moment; in SQLite those of every transaction do. Raises HistoryError."""
        options = {} if self.dialect == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        return self.reading(**options)

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction: all of it is stored, or nothing. Raises HistoryError."""
        with translated(self._engine), self._engine.begin() as connection:
            yield connection

    def rows(self, query: sa.Select | sa.CompoundSelect) -> Sequence[sa.RowMapping]:
        """The rows of one read. Raises HistoryError."""
        with self.reading() as connection:
            return connection.execute(query).mappings().all()

    def row(self, query: sa.Select) -> sa.RowMapping | None:
        """The first row of one read, if there is any. Raises HistoryError."""
        return next(iter(self.rows(query)), None)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @property
    def url(self) -> str:
        """With the password; for programs that open the same database."""
        return self._engine.url.render_as_string(hide_password=False)

    @property
    def location(self) -> str:
        """The URL without its password; for messages."""
        return self._engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Close the pool's connections; the next use opens new ones."""
        self._engine.dispose()
