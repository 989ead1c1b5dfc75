"""The outbox: every notice once, also after its receiver was down and under a backlog."""

from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from infraaudit_assets.domain.notices import Notice
from resources.history import History
from resources.notifier import Notifier
from service import notices
from service.notices import NoticeWorker


class Receiver(HTTPServer):
    """A webhook receiver that counts what it took, or refuses."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[bytes] = []
        self.refuses = False


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.server.refuses:
            self.server.taken.append(body)
        self.send_response(503 if self.server.refuses else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()


def test_a_backlog_is_delivered_once_each_when_the_receiver_is_back(
    history: History, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "PATIENCE", timedelta())
    for number in range(120):
        history.enqueue_notice(Notice(f"n{number}", "shop", "title", "body", "failure"))
    worker = NoticeWorker(history, Notifier([f"http://127.0.0.1:{receiver.server_port}/"]).send)
    receiver.refuses = True
    assert worker.deliver() == 0
    assert worker.deliver() == 0, "the project's turn has not come again"
    receiver.refuses = False
    monkeypatch.setattr("time.monotonic", lambda: 1e12)
    assert [worker.deliver(), worker.deliver(), worker.deliver()] == [100, 21, 0]
    assert len(receiver.taken) == 121


def test_a_notice_that_is_being_sent_elsewhere_is_left_alone(history: History) -> None:
    worker = NoticeWorker(history, lambda notice: pytest.fail("sent too early"))
    assert worker.deliver() == 0
