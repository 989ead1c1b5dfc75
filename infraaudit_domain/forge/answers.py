"""What a forge's answer means: taken, not now, not with this token, not there, or never.

Deliberately absent: asking (resources/forge).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum


class Result(StrEnum):
    TAKEN = "taken"
    BUSY = "busy"
    """It does not answer, is overloaded, or limits how often it is asked."""
    DENIED = "denied"
    """The token is wrong, has expired, or lacks a right; or the forge sends us elsewhere."""
    ABSENT = "absent"
    """There is no such repository or commit, or the token may not see it."""
    REJECTED = "rejected"
    """It will never take this."""


@dataclass(frozen=True, slots=True)
class Answer:
    result: Result
    words: str = ""
    """What the forge said, shortened."""
    pause: float | None = None
    """Seconds that the forge asks to be left alone for."""
    content: str = ""
    """What it answered where it took the request."""


LONGEST_PAUSE = 3600.0
_RESETS = ("x-ratelimit-reset", "ratelimit-reset")
_REMAINING = ("x-ratelimit-remaining", "ratelimit-remaining")
_LIMITED = (403, 429)


def pause_of(status: int, headers: Mapping[str, str], now: datetime) -> float | None:
    """For how many seconds a forge asks to be left alone, an hour at most; None where it does not.

    ``headers`` are in lower case. GitHub answers 403 where a limit is reached, and 403 where a right is missing: only
    the first has Retry-After, or no requests left.
    """
    if status not in _LIMITED and status < 500:
        return None
    if (given := headers.get("retry-after", "").strip()) and (seconds := _seconds(given, now)) is not None:
        return _bounded(seconds)
    if all(headers.get(name, "").strip() != "0" for name in _REMAINING):
        return None
    reset = next((headers[name].strip() for name in _RESETS if headers.get(name, "").strip().isdecimal()), None)
    # Too many digits for a time are no time.
    return 60.0 if reset is None or len(reset) > 12 else _bounded(float(reset) - now.timestamp())


def result_of(status: int, pause: float | None) -> Result:
    """What an HTTP status means where its forge says no more."""
    if 200 <= status < 300:
        return Result.TAKEN
    if pause is not None or status in (408, 425, 429) or status >= 500:
        return Result.BUSY
    if status in (401, 403, 407) or 300 <= status < 400:
        return Result.DENIED
    return Result.ABSENT if status in (404, 410) else Result.REJECTED


def _seconds(given: str, now: datetime) -> float | None:
    if given.isascii() and given.isdecimal() and len(given) < 10:
        return float(given)
    try:
        moment = parsedate_to_datetime(given)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()


def _bounded(seconds: float) -> float:
    return min(LONGEST_PAUSE, max(1.0, seconds))
