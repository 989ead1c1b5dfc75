"""How long what failed is left alone before it is tried again."""

from datetime import timedelta

_LONGEST_SECONDS = 300.0


def backoff(attempts: int) -> timedelta:
    """Twice as long with every attempt, five minutes at most."""
    return timedelta(seconds=min(_LONGEST_SECONDS, 2.0 ** min(attempts, 9)))
