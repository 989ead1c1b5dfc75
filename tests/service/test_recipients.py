"""Notices that nobody receives, that go to owners, and that are collected: on both databases, with real receivers."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from email import message_from_string
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest
import sqlalchemy as sa

from infraaudit.notices.outgoing import send_notices
from infraaudit_domain.reporting.notices import Notice
from infraaudit_domain.reporting.recipients import Address, Recipients
from resources.history import History, schema
from resources.history.outbox import notices_by_project, take_held_notices, waiting_notices, write_notices
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
    assert "(nobody would be notified of a failing test of shop" in caplog.text
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


def test_a_route_that_does_not_answer_delays_only_its_owners(past: History, receivers: list[Receiver]) -> None:
    receivers[0].refuses = True
    for number in range(30):
        write_notices(past, [Notice(f"b{number}", "shop", "title", "body", "failure", ("@broken",))])
    write_notices(past, [Notice("well", "shop", "title", "body", "info", ("@well",))])
    assert sent(past, broken=Address(receivers[0].url), well=Address(receivers[1].url)) == 1
    assert [one["key"] for one in receivers[1].taken] == ["well"]


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


def test_an_address_that_fails_keeps_no_digest_waiting(past: History, receivers: list[Receiver]) -> None:
    dead, hourly = Address(receivers[0].url), Address(receivers[1].url, digest=timedelta(hours=1))
    receivers[0].refuses = True
    write_notices(past, [FAILURE])
    assert sent(past, (dead, hourly)) == 0 == len(receivers[1].taken), "its hour is not over"
    for _ in range(2):
        written(past, timedelta(hours=1))
        assert sent(past, (dead, hourly)) == 0
    assert [one["key"] for one in receivers[1].taken] == ["n"], "once, although the other still fails"
    receivers[0].refuses = False
    written(past, timedelta(hours=1))
    assert sent(past, (dead, hourly)) == 1
    assert (len(receivers[0].taken), len(receivers[1].taken)) == (1, 1)


def test_what_waited_past_its_hour_is_one_message(past: History, receivers: list[Receiver]) -> None:
    write_notices(past, [Notice(f"n{n}", "shop", "title", "body", "failure") for n in range(3)])
    written(past, timedelta(hours=5))
    assert sent(past, (Address(receivers[0].url, digest=timedelta(hours=1)),)) == 3
    assert [one["title"] for one in receivers[0].taken] == ["3 notices of shop"]


def test_a_round_without_time_left_sends_digests_all_the_same(past: History, receivers: list[Receiver]) -> None:
    hourly = Notifier(Recipients((Address(receivers[0].url, digest=timedelta(hours=1)),)))
    write_notices(past, [FAILURE])
    send_notices(past, lambda _: hourly)
    written(past, timedelta(hours=1))
    assert send_notices(past, lambda _: hourly, seconds=0) == 1 == len(receivers[0].taken)


def test_a_held_notice_whose_address_was_removed_is_undelivered(past: History, receivers: list[Receiver]) -> None:
    write_notices(past, [FAILURE])
    sent(past, (Address(receivers[0].url, digest=timedelta(hours=1)),))
    written(past, timedelta(hours=1))
    assert sent(past) == 0
    counts = notices_by_project(past, [], datetime.now(UTC) - DAY)["shop"]
    assert (counts.sent, counts.waiting, counts.undelivered) == (0, 0, 1)
    assert sent(past, (Address(receivers[1].url),)) == 1
    assert [one["key"] for one in receivers[1].taken] == ["n"]


def test_a_digest_that_is_not_accepted_is_seen_as_waiting(past: History, receivers: list[Receiver]) -> None:
    hourly = Address(receivers[0].url, digest=timedelta(hours=1))
    receivers[0].refuses = True
    write_notices(past, [FAILURE])
    sent(past, (hourly,))
    assert notices_by_project(past, [], datetime.now(UTC))["shop"].oldest is None
    written(past, timedelta(hours=1))
    sent(past, (hourly,))
    counts = notices_by_project(past, [], datetime.now(UTC))["shop"]
    assert counts.waiting == 1 and counts.oldest is not None


def test_a_kill_while_a_digest_is_recorded_leaves_it_whole(
    past: History, receivers: list[Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly = Address(receivers[0].url, digest=timedelta(hours=1))
    write_notices(past, [Notice(f"n{n}", "shop", "title", "body", "failure") for n in range(3)])
    sent(past, (hourly,))
    written(past, timedelta(hours=1))
    transactions = iter(range(2))
    whole = past.writing

    def killed_in_the_second_after_the_lease() -> AbstractContextManager[sa.Connection]:
        if next(transactions, None) is None:
            raise KeyboardInterrupt
        return whole()

    with monkeypatch.context() as patched:
        patched.setattr(type(past), "writing", lambda _: killed_in_the_second_after_the_lease())
        with suppress(KeyboardInterrupt):
            sent(past, (hourly,))
    again = take_held_notices(past, datetime.now(UTC) + timedelta(seconds=61), 9)
    assert len(again) in (0, 3), "a part of it would get a key that its receiver does not know"


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


def test_markup_of_a_commit_is_text_in_a_mail(mails: tuple[str, list[str]]) -> None:
    url, taken = mails
    notifier = Notifier(Recipients((Address(url),)))
    notice = Notice("n", "shop", "<b>title</b>", "<img src=http://evil.example/x>\nsecond", "failure")
    done = notifier.send(notice, datetime.now(UTC))
    assert done.fault is None
    (mail,) = taken
    part = next(one for one in message_from_string(mail).walk() if one.get_content_type() == "text/html")
    html = bytes(part.get_payload(decode=True) or b"").decode()
    assert "&lt;img" in html and "<img" not in html


@pytest.fixture
def mails() -> Iterator[tuple[str, list[str]]]:
    """The URL of a mail server, and what it took."""
    taken: list[str] = []

    class Session(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                word = line.split()[0].upper()
                self.wfile.write(b"354 go on\r\n" if word == b"DATA" else b"250 good\r\n")
                if word == b"DATA":
                    lines = iter(self.rfile.readline, b".\r\n")
                    taken.append(b"".join(lines).decode())
                    self.wfile.write(b"250 good\r\n")

    with ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"mailto://127.0.0.1:{server.server_address[1]}?from=a@example.org&to=b@example.org&format=html", taken
        server.shutdown()
        thread.join()
