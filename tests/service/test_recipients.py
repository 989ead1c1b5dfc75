"""Notices that nobody receives, that go to owners, and that are collected: on both databases, with real receivers."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from infraaudit.notices.outgoing import send_notices
from infraaudit_domain.reporting.notices import Notice
from infraaudit_domain.reporting.recipients import Address, Recipients
from resources.history import History, schema
from resources.history.outbox import notices_by_project, waiting_notices, write_notices
from resources.history.retention import prune_messages, pruned_messages
from resources.notifier import Notifier
from tests.service.receivers import Receiver

DAY = timedelta(days=1)
FAILURE = Notice("n", "shop", "title", "body\nhttp://link", "failure")


def sent(past: History, lists: tuple[Address, ...] = (), **routes: Address) -> int:
    notifier = Notifier(Recipients(lists, {f"@{name}": (address,) for name, address in routes.items()}))
    return send_notices(past, lambda _: notifier)


def written(past: History, ago: timedelta) -> None:
    then = datetime.now(UTC) - ago
    with past.writing() as connection:
        connection.execute(schema.notices.update().values(created_at=then, due_at=then))


def test_a_notice_without_a_recipient_is_undelivered_until_somebody_receives_it(
    past: History, receivers: list[Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    write_notices(past, [FAILURE, Notice("old", "shop", "title", "body")])
    for _ in range(2):
        assert sent(past) == 0
    assert not waiting_notices(past), "it does not wait, so that nothing is tried again and again"
    assert "undelivered: nobody would be notified of a failing test of shop" in caplog.text
    assert caplog.text.count("http://link") == 1, "the log has it once"
    counts = notices_by_project(past, ["shop", "bank"], datetime.now(UTC) - DAY)
    assert (counts["shop"].undelivered, counts["shop"].sent, counts["bank"].undelivered) == (2, 0, 0)
    with past.writing() as connection:
        table = schema.notices
        connection.execute(table.update().where(table.c.key == "old").values(created_at=datetime.now(UTC) - 2 * DAY))
    assert sent(past, (Address(receivers[0].url),)) == 1, "a day's notices are news"
    assert [one["key"] for one in receivers[0].taken] == ["n"]
    assert notices_by_project(past, [], datetime.now(UTC) - DAY)["shop"].undelivered == 0


def test_an_undelivered_notice_is_pruned_and_not_counted_as_sent(past: History) -> None:
    write_notices(past, [FAILURE])
    sent(past)
    assert prune_messages(past, "shop", datetime.now(UTC) + DAY) == 1
    assert not pruned_messages(past, "notice")


def test_an_owners_route_gets_it_instead_of_the_list(past: History, receivers: list[Receiver]) -> None:
    team, everyone = receivers
    owned = Notice("owned", "shop", "title", "body", "failure", ("@team",))
    write_notices(past, [owned, FAILURE])
    assert sent(past, (Address(everyone.url),), team=Address(team.url)) == 2
    assert ([one["key"] for one in team.taken], [one["key"] for one in everyone.taken]) == (["owned"], ["n"])


def test_a_digest_is_one_message_when_its_hour_is_over(past: History, receivers: list[Receiver]) -> None:
    at_once, hourly = Address(receivers[0].url), Address(receivers[1].url, digest=timedelta(hours=1))
    write_notices(past, [Notice(f"n{n}", "shop", f"title {n}", "body", "failure") for n in range(20)])
    write_notices(past, [Notice("now", "shop", "title", "body", "critical")])
    assert sent(past, (at_once, hourly)) == 1
    assert (len(receivers[0].taken), [one["key"] for one in receivers[1].taken]) == (21, ["now"])
    assert notices_by_project(past, [], datetime.now(UTC))["shop"].oldest is None, "what is collected is not stuck"
    assert sent(past, (at_once, hourly)) == 0, "its hour is not over"
    written(past, timedelta(hours=1))
    receivers[1].refuses = True
    assert sent(past, (at_once, hourly)) == 0
    receivers[1].refuses = False
    written(past, timedelta(hours=1))
    assert sent(past, (at_once, hourly)) == 20
    assert (len(receivers[0].taken), len(receivers[1].taken)) == (21, 2)
    assert receivers[1].taken[1]["title"] == "20 notices of shop"
    assert not waiting_notices(past)


def test_what_waits_for_tomorrow_stays_when_an_hours_digest_is_sent(past: History, receivers: list[Receiver]) -> None:
    hourly, daily = (
        Address(one.url, digest=timedelta(hours=n)) for one, n in zip(receivers, (1, 24 * 365), strict=True)
    )
    write_notices(past, [FAILURE])
    sent(past, (hourly, daily))
    written(past, timedelta(hours=1))
    assert sent(past, (hourly, daily)) == 0
    assert (len(receivers[0].taken), len(receivers[1].taken)) == (1, 0)
    with past.reading() as connection:
        row = connection.execute(sa.select(schema.notices.c.accepted_by, schema.notices.c.due_at)).one()
    assert row.accepted_by == [hourly.id] and row.due_at > datetime.now(UTC)
