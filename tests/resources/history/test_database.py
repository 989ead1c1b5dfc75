"""The history's database: migrated with data, written by many at once, its server restarted."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import resources.history as package
from infraaudit_domain.errors import HistoryError
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus
from resources.history import History, schema
from tests import ROOT
from tests.conftest import free_port
from tests.e2e.own_image import PASSWORD, running_postgres
from tests.resources.databases import DATABASES, fresh_history, migrated_history, unmigrated_history

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(package.__file__).parent / "migrations"))
    return config


REVISIONS = [revision.revision for revision in ScriptDirectory.from_config(alembic()).walk_revisions()][::-1]


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


@pytest.fixture(params=DATABASES)
def empty(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from unmigrated_history(request.param, tmp_path, needs, request)


def upgrade(history: History, revision: str) -> None:
    config = alembic()
    with history.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def fill_every_table(history: History) -> dict[str, dict[str, Any]]:
    """One row in each table that this revision has; the same value in every column of a name, as keys demand."""
    found = sa.MetaData()
    found.reflect(history._engine)
    rows = {}
    with history.writing() as connection:
        for table in found.sorted_tables:
            if table.name != "alembic_version":
                row = {column.name: _value(column) for column in table.columns}
                connection.execute(table.insert(), row)
                rows[table.name] = dict(connection.execute(sa.select(table)).mappings().one())
    return rows


def _value(column: sa.Column) -> Any:
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return True
    if isinstance(kind, sa.DateTime):
        return NOW if kind.timezone else NOW.replace(tzinfo=None)
    if isinstance(kind, sa.Date):
        return NOW.date()
    if isinstance(kind, sa.JSON):
        return ["é", {"a": 1}]
    if isinstance(kind, sa.LargeBinary):
        return b"\x00\xff"
    if isinstance(kind, sa.Integer):
        return 3
    return 1.5 if isinstance(kind, sa.Float) else f"é {column.name}"[:16]


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_revision_comes_up_with_its_data(empty: History, revision: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    upgrade(empty, revision)
    before = fill_every_table(empty)
    assert len(before) >= 10
    empty.migrate()
    found = sa.MetaData()
    found.reflect(empty._engine)
    # Revision 0008 gave it a day, which no old row has; the next collection counts the kept lines again.
    made_again = {"log_counts"} if revision < "0008" else set()
    with empty.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        for name, row in before.items():
            if name in made_again:
                continue
            now = dict(connection.execute(sa.select(found.tables[name])).mappings().one())
            if name == "line_commits" and revision < "0009":
                row |= {"followed": False}  # the lifecycles are followed anew, under the rules of evidence
            assert {column: now[column] for column in row} == row, name


def test_roles_that_start_together_migrate_once(empty: History) -> None:
    at_once([empty.migrate] * 4)
    with empty.reading() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == [REVISIONS[-1]]


def test_many_commits_that_share_results_are_recorded_at_once(history: History) -> None:
    parts = [framework_scan(f"k{number}") for number in range(6)]

    def record(number: int) -> None:
        for index in range(5):
            order = parts if (number + index) % 2 else parts[::-1]
            history.record_scan("p", scan(f"{number}-{index}", *order))

    at_once([partial(record, number) for number in range(4)])
    with history.reading() as connection:
        counts = [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (schema.scans, schema.scan_parts, schema.framework_scans, schema.findings)
        ]
    assert counts == [20, 120, 6, 12]


def at_once(works: list[Callable[[], None]]) -> None:
    """Run all functions at the same time; an error of one is an error of all."""
    faults: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def framework_scan(key: str) -> FrameworkScan:
    findings = tuple(Finding("terraform", "CKV_AWS_18", "logging", "main.tf", f"{key}.{n}", 1, 4) for n in range(2))
    return FrameworkScan(f"f-{key}", key, ScanStatus.COMPLETE, findings, (), 1.5, "", reused=False)


def scan(sha: str, *parts: FrameworkScan) -> Scan:
    return Scan(sha, tuple(replace(part) for part in parts), "3.3", "c", NOW, 1.0, ())


def test_a_restarted_server_loses_nothing_and_is_written_to_again(needs: Callable[[str], None]) -> None:
    """An operation in progress fails with a retryable error and leaves nothing; the next write works."""
    needs("postgresql")
    with running_postgres("127.0.0.1", free_port()) as server:
        url = f"postgresql+psycopg2://infraaudit:{PASSWORD}@{server.host}:{server.port}/infraaudit"
        history = History(url)
        history.migrate()
        history.record_scan("p", scan("before", framework_scan("k1")))

        @sa.event.listens_for(history._engine, "before_cursor_execute")
        def restart(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if "INSERT INTO scan_parts" in statement:
                sa.event.remove(history._engine, "before_cursor_execute", restart)
                server.restart()

        with pytest.raises(HistoryError) as caught:
            history.record_scan("p", scan("during", framework_scan("k2")))
        assert caught.value.retryable
        assert history.scan("p", "before") is not None
        assert history.scan("p", "during") is None
        assert history.framework_scan("k2") is None
        history.record_scan("p", scan("during", framework_scan("k2")))
        assert history.scan("p", "during") is not None
        history.close()


def test_a_history_of_a_newer_version_says_so(tmp_path: Path) -> None:
    history = migrated_history(tmp_path)
    with history.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(HistoryError, match="migrated by a newer version .*9999"):
        history.migrate()


def test_a_history_that_is_up_to_date_is_opened_without_the_library_for_migrations(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/history.db"
    words = "import sys; from resources.history import open_history; open_history(sys.argv[1]); print('alembic' in sys.modules)"
    first, second = (
        subprocess.run([sys.executable, "-c", words, url], capture_output=True, text=True, check=True, cwd=ROOT).stdout
        for _ in range(2)
    )
    assert (first.strip(), second.strip()) == ("True", "False")
