"""The history: every commit's facts in one database, and the questions asked of them."""

from functools import lru_cache

from resources.history.store import History

__all__ = ["History", "open_history"]


@lru_cache(maxsize=4)
def open_history(url: str) -> History:
    """The history at a URL, migrated; opened once per process."""
    history = History(url)
    history.migrate()
    return history
