"""The comment of a request over real HTTP on every forge: one, edited in place, never doubled, holding up no status."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from infraaudit.forge import commenting
from infraaudit_domain.forge.comments import mark_line
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.forge_address import ForgeKind
from resources.history import History, schema
from resources.history.forge.comments import comment_row, take_comment, want_comment
from resources.history.forge.expected import expect_statuses
from resources.history.forge.faults import faults
from service.workers import forge_worker
from tests.forges.stand_in import Script, StandIn, running
from tests.resources.databases import migrated_history
from tests.service.test_forge_worker import nothing_waits, worked

SHA = "a" * 40
_TABLE = schema.request_comments


@pytest.fixture
def history(tmp_path: Path) -> History:
    return migrated_history(tmp_path)


@pytest.fixture(params=list(ForgeKind))
def forge(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setattr(forge_worker, "ROUND_SECONDS", 0.01)
    with running(request.param, [SHA]) as server:
        yield server


def commented(server: StandIn) -> Project:
    return Project(
        "shop", "https://forge.example/group/shop", forge=replace(server.forge, requests=True, comments=True)
    )


def nothing_to_say(history: History) -> bool:
    return not history.rows(sa.select(_TABLE.c.number).where(_TABLE.c.due_at.is_not(None)))


def told(history: History, server: StandIn, text: str) -> list[str]:
    """Want a text and let it be sent; returns the comments of the request."""
    assert want_comment(history, "shop", 7, text)
    worked(history, [commented(server)], lambda: nothing_to_say(history))
    return server.board.texts(7)


def test_a_request_has_one_comment_that_is_edited(history: History, forge: StandIn) -> None:
    forge.board.say(7, "what a person said")
    for text in ("first", "second", "third"):
        person, ours = told(history, forge, text)
        assert ours.startswith(f"{text}\n\n[//]: # (infraaudit ") and person == "what a person said"
    assert not want_comment(history, "shop", 7, "third")
    assert all(request.status in (200, 201) for request in forge.received)


@pytest.mark.parametrize("others", [0, 120])
def test_a_crash_between_sending_and_storing_doubles_nothing(history: History, forge: StandIn, others: int) -> None:
    want_comment(history, "shop", 7, "first")
    taken = take_comment(history, "shop", datetime.now(UTC))
    assert taken is not None and not taken.was_tried
    for number in range(others):
        forge.board.say(7, f"before, {number}")
    forge.board.say(7, f"first\n\n{mark_line(taken.mark)}")
    for number in range(others):
        forge.board.say(7, f"after, {number}")
    with history.writing() as connection:  # The lease of the dead sender is over.
        connection.execute(_TABLE.update().values(due_at=datetime.now(UTC) - timedelta(seconds=1)))
    worked(history, [commented(forge)], lambda: nothing_to_say(history))
    assert len(forge.board.texts(7)) == 2 * others + 1
    assert sum("second" in one for one in told(history, forge, "second")) == 1


def test_what_we_died_before_sending_is_sent(history: History, forge: StandIn) -> None:
    want_comment(history, "shop", 7, "first")
    take_comment(history, "shop", datetime.now(UTC) - timedelta(hours=1))
    worked(history, [commented(forge)], lambda: nothing_to_say(history))
    assert len(forge.board.texts(7)) == 1


def test_one_that_was_deleted_is_written_anew(history: History, forge: StandIn) -> None:
    told(history, forge, "first")
    forge.board.delete_all()
    (ours,) = told(history, forge, "second")
    assert ours.startswith("second")


def test_a_token_without_the_right_holds_up_no_status(
    history: History, forge: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commenting, "_MOST_ATTEMPTS", 1)
    forge.tokens = {token: {"read", "write"} for token in forge.tokens}
    assert told(history, forge, "first") == []
    row = comment_row(history, "shop", 7)
    assert row and row["last_error"].startswith("HTTP 403") and faults(history) == {}
    expect_statuses(history, "shop", [SHA])
    worked(history, [commented(forge)], lambda: nothing_waits(history))
    assert forge.shown(SHA)


def test_an_answer_that_was_lost_is_looked_for_before_another_is_written(history: History, forge: StandIn) -> None:
    want_comment(history, "shop", 7, "first")
    row = comment_row(history, "shop", 7)
    assert row
    forge.scripts = [Script(502)]
    forge.board.say(7, mark_line(row["mark"]))  # As if it had been taken behind the gateway that fails.
    worked(history, [commented(forge)], lambda: nothing_to_say(history), seconds=8)
    (ours,) = forge.board.texts(7)
    assert ours.startswith("first")


def test_a_limit_pauses_the_forge_and_uses_up_no_attempt(history: History, forge: StandIn) -> None:
    forge.scripts = [Script(429, {"Retry-After": "300"})]
    want_comment(history, "shop", 7, "first")
    worked(history, [commented(forge)], lambda: "shop" in faults(history))
    row = comment_row(history, "shop", 7)
    assert row and row["attempts"] == 0 and row["due_at"] is not None
    assert len(forge.received) == 1 and take_comment(history, "shop", datetime.now(UTC) + timedelta(minutes=2)) is None


def test_without_the_setting_nothing_is_said(history: History, forge: StandIn) -> None:
    want_comment(history, "shop", 7, "first")
    silent = replace(commented(forge), forge=replace(forge.forge, requests=True))
    expect_statuses(history, "shop", [SHA])
    worked(history, [silent], lambda: nothing_waits(history))
    assert forge.board.texts(7) == []
