"""Lifecycles are followed in short transactions: nobody who writes waits for Git, for reading, or for all of a history."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from infraaudit.scans import ahead as module
from infraaudit.scans.lifecycles import Line
from resources.history import History, schema
from tests.infraaudit.scans.made_scans import PretendMirror, finding, scan
from tests.resources.databases import DATABASES, fresh_history

SHAS = [f"c{number:02}" for number in range(12)]


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


def record(history: History, sizes: dict[str, int]) -> None:
    for number, (sha, size) in enumerate(sizes.items()):
        history.record_scan("p", scan(sha, [finding(f"r{which}-{number // 3}") for which in range(size)]))


def lives(history: History) -> list[tuple]:
    spans = schema.spans
    columns = (spans.c.start_position, spans.c.resource, spans.c.started_as, spans.c.end_position, spans.c.ended_as)
    return [tuple(row.values()) for row in history.rows(sa.select(*columns).order_by(*columns[:2]))]


class AskingWriters(PretendMirror):
    """Another process writes whenever Git is asked; it would wait for half a minute, and fail, behind a transaction."""

    def __init__(self, line: list[str], history: History) -> None:
        super().__init__(line)
        self.history, self.written = history, 0

    def renames(self, parent: str, sha: str) -> dict[str, str]:
        worker = threading.Thread(target=self._write)
        worker.start()
        worker.join(10)
        assert not worker.is_alive(), "somebody who writes waits for Git"
        return super().renames(parent, sha)

    def _write(self) -> None:
        self.history.record_log_counts("p", "live", f"{self.written}", {("c", "info"): 1})
        self.written += 1


def test_another_process_writes_while_git_is_asked_for_3000_findings(history: History) -> None:
    record(history, dict.fromkeys(SHAS, 250))
    mirror = AskingWriters(SHAS, history)
    Line(history, mirror, "p", "main").follow()
    assert mirror.written >= 3 and len(lives(history)) == 1000


def test_a_batch_is_bounded_by_what_it_writes(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    record(history, dict.fromkeys(SHAS, 50))
    Line(history, PretendMirror(SHAS), "p", "main").follow()
    at_once = lives(history)
    with history.writing() as connection:
        connection.execute(schema.line_commits.update().values(followed=False))
    monkeypatch.setattr(module, "_SPANS", 60)
    written: list[int] = []
    store = Line._store

    def counted(self: Line, connection: sa.Connection, ahead: module.Ahead) -> None:
        written.append(len(ahead.started) + len(ahead.changed))
        store(self, connection, ahead)

    monkeypatch.setattr(Line, "_store", counted)
    Line(history, PretendMirror(SHAS), "p", "main").follow()
    assert len(written) > 3 and max(written) <= 60 + 100
    assert lives(history) == at_once


def test_a_scan_that_is_recorded_while_steps_are_computed_is_not_lost(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(history, {sha: 3 for sha in SHAS if sha not in ("c05", "c11")})
    late = [scan("c05", [finding("late")]), scan("c11", [finding("late")])]

    @contextmanager
    def writing(self: History) -> Iterator[sa.Connection]:
        monkeypatch.setattr(History, "writing", usual)
        if late and computed:
            self.record_scan("p", late.pop())
        with usual(self) as connection:
            yield connection
        if late:
            monkeypatch.setattr(History, "writing", writing)

    usual, computed, ahead = History.writing, list[int](), Line._ahead

    def noted(self: Line, connection: sa.Connection, start: int) -> module.Ahead:
        computed.append(start)
        return ahead(self, connection, start)

    monkeypatch.setattr(Line, "_ahead", noted)
    monkeypatch.setattr(History, "writing", writing)
    Line(history, PretendMirror(SHAS), "p", "main").follow()
    assert not late and len(computed) >= 2
    assert {row[0] for row in lives(history) if row[1] == "late"} == {5, 11}


def test_a_line_that_another_process_has_matched_to_a_newer_branch_is_left_to_it(history: History) -> None:
    record(history, dict.fromkeys(SHAS, 2))
    stale = Line(history, PretendMirror(SHAS[:6]), "p", "main")
    stale.shas = [*SHAS[:5], "gone"]
    Line(history, PretendMirror(SHAS), "p", "main").follow()
    before = lives(history)
    history.record_scan("p", scan("c05", [finding("new")]))
    assert not stale._follow_some() and lives(history) == before
