"""A remote that hangs costs nobody else a thing, is said, and is left alone for a while: real sockets, real git."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from infraaudit_domain.errors import RepositoryError
from resources.git.fetches import HUNG_SECONDS, Fetches
from resources.git.mirror import Mirror
from tests.conftest import Repository


class Silent:
    """A host that takes connections and never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    @property
    def url(self) -> str:
        return f"git://127.0.0.1:{self._socket.getsockname()[1]}/shop"

    def _take(self) -> None:
        while True:
            try:
                self._taken.append(self._socket.accept()[0])
            except OSError:
                return

    def hang_up(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._taken:
            connection.close()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def silent() -> Iterator[Silent]:
    host = Silent()
    yield host
    host.hang_up()


def ended(fetches: Fetches, mirror: Mirror) -> None:
    deadline = time.monotonic() + 10
    while not fetches._last[mirror.path].ended.is_set():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_hanging_remote_is_said_and_left_alone_longer_each_time(
    silent: Silent, repository: Repository, tmp_path: Path
) -> None:
    repository.write({"a": "1"}, "one")
    clock = Clock()
    fetches, mirror = Fetches(clock), Mirror(str(repository.path), tmp_path / "mirror")
    assert fetches.fetch(mirror, 30) == "" and mirror.branches()
    hanging = Mirror(silent.url, mirror.path)
    assert "is being fetched" in fetches.fetch(hanging, 0.1)
    clock.now += HUNG_SECONDS
    with pytest.raises(RepositoryError, match="does not answer: its fetch has been going on for 60 s"):
        fetches.fetch(hanging, 0.1)
    silent.hang_up()
    ended(fetches, hanging)
    for pause, again in ((30, _SlowToFail(hanging, clock)), (60, _SlowToFail(hanging, clock))):
        with pytest.raises(RepositoryError, match=f"It hung, and is tried again in {pause} s"):
            fetches.fetch(hanging, 5)
        clock.now += pause - 1
        with pytest.raises(RepositoryError, match="is tried again in 1 s"):
            fetches.fetch(hanging, 5)
        clock.now += 1
        with pytest.raises(RepositoryError, match=f"is tried again in {2 * pause} s"):
            fetches.fetch(again, 5)
    clock.now += 120
    assert fetches.fetch(mirror, 30) == "", "it answers again"
    assert fetches._last[mirror.path].hung_times == 0


class _SlowToFail(Mirror):
    def __init__(self, like: Mirror, clock: Clock) -> None:
        super().__init__(like.url, like.path)
        self._clock = clock

    def fetch(self) -> None:
        self._clock.now += 25
        super().fetch()


def test_another_project_does_not_wait_and_a_large_first_clone_may_take_its_time(
    silent: Silent, repository: Repository, tmp_path: Path
) -> None:
    repository.write({"a": "1"}, "one")
    clock = Clock()
    fetches, hanging = Fetches(clock), Mirror(silent.url, tmp_path / "hanging")
    assert "is being fetched" in fetches.fetch(hanging, 0)
    assert fetches.fetch(Mirror(str(repository.path), tmp_path / "other"), 30) == ""
    clock.now += HUNG_SECONDS * 5
    assert "for 300 s so far" in fetches.fetch(hanging, 0)


def test_one_that_fails_at_once_is_tried_at_each_tick(tmp_path: Path) -> None:
    fetches, missing = Fetches(), Mirror(str(tmp_path / "nowhere"), tmp_path / "mirror")
    for _ in range(2):
        with pytest.raises(RepositoryError, match="cannot be read") as raised:
            fetches.fetch(missing, 30)
        assert "It hung" not in str(raised.value)


def test_what_nobody_expected_is_reported_and_logged_with_its_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RepositoryError, match="KeyError: 'theirs'"):
        Fetches().fetch(_Broken("https://ada:secret@example.org/shop", tmp_path / "mirror"), 30)
    (record,) = caplog.records
    assert record.exc_info and "secret" not in record.getMessage()


class _Broken(Mirror):
    def fetch(self) -> None:
        raise KeyError("theirs")


def test_a_fetch_that_always_takes_longer_than_a_tick_waits_is_used_by_the_next(
    repository: Repository, tmp_path: Path
) -> None:
    slow = _Held(str(repository.path), tmp_path / "mirror")
    fetches = Fetches()
    for number in range(2):
        sha = repository.write({"a": str(number)}, "a commit")
        slow.goes_on.clear()
        assert "is being fetched" in fetches.fetch(slow, 0.05)
        slow.goes_on.set()
        ended(fetches, slow)
        slow.goes_on.clear()
        assert fetches.fetch(slow, 0.05) == "" and slow.branches() == {"main": sha}


class _Held(Mirror):
    """Fetches when it may."""

    def __init__(self, url: str, path: Path) -> None:
        super().__init__(url, path)
        self.goes_on = threading.Event()

    def fetch(self) -> None:
        self.goes_on.wait(10)
        super().fetch()
