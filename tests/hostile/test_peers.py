"""What peers send us: pushes, what is left in the inbox, log lines and the answers of what is deployed; bounded, never a traceback."""

import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.forge.payloads import moved_branches
from infraaudit_domain.log_lines import level_of, mask_secrets
from resources.history import History
from resources.history.pushes import Push, waiting_pushes
from resources.machine.inbox import Inbox
from resources.prometheus import target_is_up
from service.received import Received


@pytest.mark.parametrize(
    "line",
    ["-eyJ" * 2000 + "a" * 12, "://a:" * 1600, "token " * 1300, '{"level": ' + "9" * 5000 + "}", "[" * 8000],
    ids=["half a token, 2,000 times", "half a URL", "a word for secrets", "a level of 5,000 digits", "8,000 brackets"],
)
def test_a_log_line(line: str) -> None:
    began = time.process_time()
    for _ in range(20):
        level_of(mask_secrets(line))
    assert time.process_time() - began < 1


BRANCHES = ["x\ud800y", "x\udfff", "a\0b", "../../x", "-x", "a b", "x" * 300, "x..y", "x.lock", "a\x7fb", ""]


@pytest.mark.parametrize("branch", BRANCHES, ids=ascii)
def test_a_branch_in_a_signed_push(branch: str) -> None:
    with pytest.raises(InfraAuditError, match=r"ref is no branch|ref is no text"):
        moved_branches("plain", {}, {"ref": f"refs/heads/{branch}", "after": "a" * 40})


def stored(**changed: Any) -> bytes:
    push = {"id": "1", "project": "shop", "forge": "plain", "branch": "main", "before": "", "after": "a" * 40}
    push |= {"received_at": datetime.now(UTC).isoformat(), "attempts": 0} | changed
    return json.dumps([push]).encode()


ITEMS: dict[str, bytes] = {
    "half of a pair of surrogates": stored(branch="x\ud800y"),
    "a branch with a zero": stored(branch="x\0y"),
    "a number for a branch": stored(branch=7),
    "a project of a megabyte": stored(project="x" * (1 << 20)),
    "a SHA that is none": stored(after="'; drop table"),
    "attempts that are a list": stored(attempts=[]),
    "a time that is none": stored(received_at="never"),
    "a key too many": stored(more=1),
    "no JSON": b"{",
    "100,000 brackets": b"[" * 100_000,
    "a text for a list": b'"x"',
    "a list of numbers": b"[1]",
    "bytes that are no text": b"\xff\xfe\xff",
}


@pytest.mark.parametrize("name", ITEMS)
def test_one_bad_item_in_the_inbox_stops_no_other_projects_push(name: str, history: History, tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    received = Received(inbox, history)
    (tmp_path / "inbox/bad").write_bytes(ITEMS[name])
    (tmp_path / "inbox/folder").mkdir()
    received.keep("good", [Push("good-0", "bank", "plain", "main", "", "b" * 40, datetime.now(UTC))])
    assert received.move_to(history) == 1
    assert [push.id for push in waiting_pushes(history, "bank")] == ["good-0"]
    assert (tmp_path / "inbox/.refused-bad").exists() and not list(inbox.items())


def _endless(stream: socket.socket) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        stream.sendall(b"a 1\n" * 10_000)


def _one_byte_a_second(stream: socket.socket) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        stream.sendall(b"x")
        time.sleep(0.2)


def _always_continue(stream: socket.socket) -> None:
    while True:
        stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def _junk(stream: socket.socket) -> None:
    stream.sendall(b"\0" * 100_000)


ANSWERS: dict[str, tuple[Callable[[socket.socket], None], str]] = {
    "/metrics without an end": (_endless, "None"),
    "a header without an end": (_one_byte_a_second, "does not answer"),
    "continue, continue": (_always_continue, "does not answer"),
    "no HTTP": (_junk, "does not answer"),
    "silence": (lambda _: time.sleep(60), "does not answer"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_a_deployed_application_answers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.prometheus._ANSWER_SECONDS", 0.5)
    answer, expected = ANSWERS[name]
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, answer), daemon=True).start()
        began = time.monotonic()
        assert expected in str(target_is_up(f"http://127.0.0.1:{server.getsockname()[1]}"))
        assert time.monotonic() - began < 3


def _serve(server: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    try:
        stream, _ = server.accept()
        with stream:
            stream.recv(65536)
            answer(stream)
    except OSError:
        return
