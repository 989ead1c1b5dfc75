"""A listener that is slower than the program: what waits for it is bounded, and so is the time that it gets."""

import threading
import time

import pytest

from resources.machine.streams import Listener, finish


class Held:
    """Hears lines, and does not come back from the first one before it may."""

    def __init__(self) -> None:
        self.heard = 0
        self.may_go_on = threading.Event()

    def __call__(self, line: str) -> None:
        self.may_go_on.wait(20)
        self.heard += 1


def test_empty_lines_wait_in_bounded_memory_too() -> None:
    held, printed = Held(), []
    listener = Listener(held, 65536)

    def program() -> None:
        for number in range(20):
            listener.put([b""] * 2000)
            printed.append(number)

    thread = threading.Thread(target=program)
    thread.start()
    thread.join(0.5)
    assert len(printed) <= 2
    held.may_go_on.set()
    thread.join(20)
    finish([], listener)
    assert (len(printed), held.heard) == (20, 40_000)


def test_what_was_in_the_pipe_at_the_end_is_heard_though_it_is_empty_lines() -> None:
    held = Held()
    listener = Listener(held, 65536)
    listener.let_in()
    for _ in range(3):
        listener.put([b""] * 65536)
    held.may_go_on.set()
    finish([], listener)
    assert held.heard == 3 * 65536


def test_after_the_end_a_listener_has_so_many_seconds(caplog: pytest.LogCaptureFixture) -> None:
    held = Held()
    listener = Listener(held, 65536)
    listener.put([b"one", b"two"])
    began = time.monotonic()
    finish([], listener, 0.2)
    assert time.monotonic() - began < 5
    assert "takes more than 0.2 s" in caplog.text
    held.may_go_on.set()
    listener.finish(20)
    assert held.heard == 1, "nothing that it did not hear in time comes later"
