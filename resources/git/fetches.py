"""Fetch without waiting for a remote that hangs: each fetch runs in a thread of its own, one at a time for a mirror.

Sensors of all projects share a few threads of Dagster's daemon, so that a tick gives up waiting after seconds; a large
fetch continues meanwhile, and the next tick finds its result. A remote that hung is left alone for a while, longer each
time. Deliberately absent: the fetch itself (fetching.py).
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from infraaudit_domain.errors import InfraAuditError, RepositoryError
from resources.git.mirror import Mirror
from resources.git.program import without_password

HUNG_SECONDS = 60.0
"""A fetch of so long has hung; a first clone may take its time."""
_FAILED_LATE_SECONDS = 20.0
"""A fetch that failed after so long did not fail by an answer."""
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 600.0
_LOG = logging.getLogger("infraaudit.fetches")


@dataclass(slots=True)
class _Fetch:
    """The last fetch of a mirror, and what it means for the next."""

    started: float
    is_clone: bool
    ended: threading.Event = field(default_factory=threading.Event)
    error: str = ""
    hung_times: int = 0
    """How often in a row it hung."""
    not_before: float = 0.0
    is_taken: bool = False
    """Whether a tick has had its result."""


class Fetches:
    """The fetches of this process. ``clock`` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._one_at_a_time = clock, threading.Lock()
        self._last: dict[Path, _Fetch] = {}

    def fetch(self, mirror: Mirror, seconds: float) -> str:
        """Bring a mirror up to date, in so many seconds; returns why that is not done yet, and nothing where it is.

        Raises RepositoryError where it failed, has hung, or hung so lately that it is not tried.
        """
        with self._one_at_a_time:
            last = fetch = self._last.get(mirror.path)
            # What ended since the last tick is its result: a fetch that always takes longer than a tick waits is one, too.
            if fetch is None or (fetch.ended.is_set() and fetch.is_taken and self._clock() >= fetch.not_before):
                fetch = self._last[mirror.path] = self._begun(mirror, fetch.hung_times if fetch else 0)
        # One that others have waited for is not waited for again.
        if fetch.ended.wait(0 if fetch is last else seconds):
            fetch.is_taken = True
            self._raise_for(fetch)
            return ""
        so_far = self._clock() - fetch.started
        if so_far >= HUNG_SECONDS and not fetch.is_clone:
            raise RepositoryError(
                f"The repository {without_password(mirror.url)} does not answer: its fetch has been going on for "
                f"{so_far:.0f} s. Other projects do not wait for it; check that host."
            )
        return f"{without_password(mirror.url)} is being fetched, for {so_far:.0f} s so far."

    def _begun(self, mirror: Mirror, hung_times: int) -> _Fetch:
        fetch = _Fetch(self._clock(), not mirror.path.exists(), hung_times=hung_times)
        threading.Thread(target=self._run, args=(mirror, fetch), daemon=True, name=f"fetch {mirror.path.name}").start()
        return fetch

    def _run(self, mirror: Mirror, fetch: _Fetch) -> None:
        try:
            mirror.fetch()
        except InfraAuditError as error:
            fetch.error = str(error)
        except Exception as error:
            _LOG.exception("%s could not be fetched", without_password(mirror.url))
            fetch.error = f"{type(error).__name__}: {error}"
        now = self._clock()
        has_hung = bool(fetch.error) and now - fetch.started >= _FAILED_LATE_SECONDS
        fetch.hung_times = fetch.hung_times + 1 if has_hung else 0
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(fetch.hung_times - 1, 10)) if has_hung else 0.0
        fetch.not_before = now + pause
        fetch.ended.set()

    def _raise_for(self, fetch: _Fetch) -> None:
        if not fetch.error:
            return
        left = fetch.not_before - self._clock()
        again = f" It hung, and is tried again in {left:.0f} s." if left > 0 else ""
        raise RepositoryError(f"{fetch.error}{again}")
