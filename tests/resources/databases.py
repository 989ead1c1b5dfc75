"""A fresh history for a test: SQLite, or a PostgreSQL that is started for the session as an ordinary user."""

import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import sqlalchemy as sa

from resources.history import History
from tests.conftest import _postgres_bin

DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.slow))
"""What a history may stand on, for a fixture's ``params``."""
_server: dict[str, str] = {}


def fresh_history(
    kind: str, folder: Path, needs: Callable[[str], None], request: pytest.FixtureRequest
) -> Iterator[History]:
    """An empty, migrated history on a database of its own (a copy of one that the migrations made)."""
    if kind == "postgresql":
        needs("postgresql")
        history = History(_database(_postgres(request), "migrated"))
    else:
        history = migrated_history(folder)
    yield history
    history.close()


def migrated_history(folder: Path) -> History:
    """An empty, migrated history in a folder's history.db."""
    return history_like(History.migrate, folder)


def history_like(fill: Callable[[History], None], folder: Path) -> History:
    """A history in a folder's history.db, filled by ``fill``: made once per session and then copied, because migrating
    alone takes longer than most tests."""
    (folder / "history.db").write_bytes(_file_of(fill))
    return History(f"sqlite:///{folder}/history.db")


@lru_cache
def _file_of(fill: Callable[[History], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        history = History(f"sqlite:///{folder}/history.db")
        fill(history)
        history.close()
        with sqlite3.connect(f"{folder}/history.db") as plain:
            plain.execute("VACUUM INTO ?", (f"{folder}/copy.db",))
        plain.close()
        return Path(folder, "copy.db").read_bytes()


def fresh_database(request: pytest.FixtureRequest) -> str:
    """The URL of an empty PostgreSQL database."""
    return _database(_postgres(request), "template1")


def unmigrated_history(
    kind: str, folder: Path, needs: Callable[[str], None], request: pytest.FixtureRequest
) -> Iterator[History]:
    """A history on an empty database, without a table."""
    if kind == "postgresql":
        needs("postgresql")
        history = History(_database(_postgres(request), "template1"))
    else:
        history = History(f"sqlite:///{folder}/history.db")
    yield history
    history.close()


def _database(server: str, template: str) -> str:
    name = f"t{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


def _postgres(request: pytest.FixtureRequest) -> str:
    if "url" not in _server:
        programs = Path(_postgres_bin() or "")
        home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        user = _ordinary_user()
        if user:
            os.chown(home, pwd.getpwnam(user).pw_uid, -1)
        data = home / "data"
        _as(user, str(programs / "initdb"), "-D", str(data), "-U", "audit", "-A", "trust", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={home} -c fsync=off"
        _as(user, str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(home / "log"), "-o", options, "start")

        def stop() -> None:
            _as(user, str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
            shutil.rmtree(home, ignore_errors=True)
            _server.clear()

        request.session.config.add_cleanup(stop)
        _server["url"] = f"postgresql+psycopg2://audit@/postgres?host={home}"
        _make_template(_server["url"])
    return _server["url"]


def _make_template(server: str) -> None:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE migrated"))
    engine.dispose()
    history = History(server.replace("/postgres?", "/migrated?"))
    history.migrate()
    history.close()


def _ordinary_user() -> str | None:
    """The user that runs the server where the tests run as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _as(user: str | None, *argv: str) -> None:
    subprocess.run(argv, user=user, check=True, capture_output=True, cwd="/", timeout=120)
