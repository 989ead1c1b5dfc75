"""Notices end to end: facts in the history, real receivers; every notice once, also when receivers fail."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from infraaudit.notices.announcer import Announcer
from infraaudit.notices.outgoing import send_notices
from infraaudit_domain.reporting.notices import Notice
from infraaudit_domain.reporting.recipients import Address, Recipients
from resources.git.mirror import Mirror
from resources.history import History, schema
from resources.history.outbox import take_notices, waiting_notices, write_notices
from resources.notifier import Notifier, Sending
from service.notices import NoticeWorker
from tests.service.receivers import Receiver

NOW = datetime.now(UTC)


def test_two_senders_and_a_backlog_of_500_give_each_notice_once(past: History, receivers: list[Receiver]) -> None:
    for _ in range(2):
        write_notices(past, [Notice(f"n{number}", "shop", "title", "body", "failure") for number in range(500)])
    notifier = Notifier(Recipients((Address(receivers[0].url),)))
    senders = [Thread(target=send_notices, args=(past, lambda _: notifier)) for _ in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted(one["key"] for one in receivers[0].taken) == sorted(f"n{number}" for number in range(500))
    assert not waiting_notices(past)


def test_the_worker_goes_on_after_a_defect_of_ours(
    past: History, receivers: list[Receiver], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Defective(Announcer):
        rounds = 0

        def announce(self, now: datetime) -> int:
            Defective.rounds += 1
            if Defective.rounds == 1:
                raise ValueError("a defect")
            return 0

    monkeypatch.setattr("service.notices.ROUND_SECONDS", 0.01)
    write_notices(past, [Notice("n", "shop", "title", "body")])
    notifier = Notifier(Recipients((Address(receivers[0].url),)))
    worker = NoticeWorker(past, Defective(past, {}, lambda project: Mirror("", Path()), "", ""), lambda _: notifier)

    async def until_announced() -> None:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            task = tasks.create_task(worker.run())
            while waiting_notices(past):
                await asyncio.sleep(0.05)
            task.cancel()

    asyncio.run(until_announced())
    assert [one["key"] for one in receivers[0].taken] == ["n"]
    assert "ValueError: a defect" in caplog.text


def test_a_sender_takes_no_more_than_it_sends_at_once(past: History) -> None:
    write_notices(past, [Notice(f"n{number}", "shop", "title", "body", "failure") for number in range(30)])
    taken: list[int] = []

    class Counting(Notifier):
        def send(self, notice: Notice, written_at: datetime, accepted_by: Collection[str] = ()) -> Sending:
            with past.reading() as connection:
                waits = schema.notices.c.sent_at.is_(None) & schema.notices.c.undelivered_at.is_(None)
                leased = waits & (schema.notices.c.due_at > datetime.now(UTC))
                query = sa.select(sa.func.count()).select_from(schema.notices).where(leased)
                taken.append(connection.execute(query).scalar_one())
            return super().send(notice, written_at, accepted_by)

    assert send_notices(past, lambda _: Counting(Recipients())) == 0, "nobody received one"
    assert 1 <= max(taken) <= 8


def test_only_the_address_that_failed_is_asked_again(past: History, receivers: list[Receiver]) -> None:
    good, bad = receivers
    notifier = Notifier(
        Recipients(
            (
                Address(good.url),
                Address(bad.url),
            )
        )
    )
    write_notices(past, [Notice("n", "shop", "title", "body")])
    bad.refuses, tried = True, datetime.now(UTC)
    assert send_notices(past, lambda _: notifier) == 0
    bad.refuses = False
    assert take_notices(past, tried + timedelta(seconds=2), 8) == []
    with past.writing() as connection:  # As if it had waited already.
        connection.execute(schema.notices.update().values(due_at=tried))
    assert send_notices(past, lambda _: notifier) == 1
    assert (len(good.taken), len(bad.taken)) == (1, 1)


def test_a_project_whose_receiver_is_down_keeps_nobody_else_waiting(past: History, receivers: list[Receiver]) -> None:
    good, bad = receivers
    bad.refuses = True
    write_notices(past, [Notice(f"bad{n}", "ill", "title", "body", "critical") for n in range(150)])
    write_notices(past, [Notice("good", "shop", "title", "body")])
    by_name = {"ill": Notifier(Recipients((Address(bad.url),))), "shop": Notifier(Recipients((Address(good.url),)))}
    assert send_notices(past, by_name.__getitem__) == 1
    assert [one["key"] for one in good.taken] == ["good"]
    assert len(waiting_notices(past)) == 150


def test_what_a_sender_died_with_is_given_out_again(past: History) -> None:
    write_notices(past, [Notice("n", "shop", "title", "body")])
    now = datetime.now(UTC)
    assert [one.notice.key for one in take_notices(past, now, 8)] == ["n"]
    assert take_notices(past, now + timedelta(seconds=30), 8) == []
    assert [one.notice.key for one in take_notices(past, now + timedelta(seconds=61), 8)] == ["n"]


@pytest.mark.parametrize(("least", "expected"), [("info", 3), ("failure", 2), ("critical", 1)])
def test_an_address_gets_the_urgencies_it_wants(least: str, expected: int, receivers: list[Receiver]) -> None:
    notifier = Notifier(Recipients((Address(receivers[0].url, least),)))
    for urgency in ("info", "failure", "critical"):
        assert notifier.send(Notice(urgency, "shop", "title", "body", urgency), NOW).fault is None
    assert len(receivers[0].taken) == expected
