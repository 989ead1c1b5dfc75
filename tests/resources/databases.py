"""A fresh history for a test: SQLite, or a PostgreSQL that is started for the session as an ordinary user."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from resources.history import History
from tests.conftest import _postgres_bin

_server: dict[str, str] = {}


def fresh_history(
    kind: str, folder: Path, needs: Callable[[str], None], request: pytest.FixtureRequest
) -> Iterator[History]:
    """An empty, migrated history on a database of its own."""
    url = f"sqlite:///{folder}/history.db"
    if kind == "postgresql":
        needs("postgresql")
        url = _database(_postgres(request))
    history = History(url)
    history.migrate()
    yield history
    history.engine.dispose()


def _database(server: str) -> str:
    name = f"t{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.rsplit("/", 1)[0] + f"/{name}" if "?" not in server else server.replace("/postgres?", f"/{name}?")


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
    return _server["url"]


def _ordinary_user() -> str | None:
    """Who runs the server where the tests run as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _as(user: str | None, *argv: str) -> None:
    subprocess.run(argv, user=user, check=True, capture_output=True, cwd="/", timeout=120)
