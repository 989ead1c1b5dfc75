"""How tests wait: for an outcome, as long as it takes, within a limit that a loaded machine does not exceed."""

import time
from collections.abc import Callable
from typing import TypeVar

from tests.distribution import PATIENCE

Found = TypeVar("Found")


def until(what: str, look: Callable[[], Found | None], seconds: float, between: float = 0.5) -> Found:
    """What a look finds, once it is not None. ``seconds`` is ample for a quiet machine."""
    deadline = time.monotonic() + PATIENCE * seconds
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE * seconds:.0f} s"
        time.sleep(between)
    return found


def eventually(
    condition: Callable[[], object], seconds: float = 20, what: str = "what the test waits for", between: float = 0.2
) -> None:
    """Wait until something holds."""
    until(what, lambda: condition() or None, seconds, between)
