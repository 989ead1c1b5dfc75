"""Pushes between their arrival and the history: a file each in a durable inbox."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import Any

from infraaudit_domain.errors import HistoryError
from resources.history import History
from resources.history.pushes import Push, is_stored, store_pushes
from resources.machine.inbox import Inbox

_BATCH = 100
_LOG = logging.getLogger("infraaudit.webhook")


class Received:
    """The inbox of pushes."""

    def __init__(self, inbox: Inbox, history: History) -> None:
        self._inbox, self._history = inbox, history

    def keep(self, given: str, pushes: Sequence[Push]) -> bool:
        """Store the pushes of one request durably; False if it was received before. Raises OSError."""
        rows = [asdict(push) | {"received_at": push.received_at.isoformat()} for push in pushes]
        return not self._is_in_history(pushes[0]) and self._inbox.put(given, json.dumps(rows).encode())

    def move_to(self, history: History) -> int:
        """Move everything from the inbox into the history; returns how many pushes. Raises HistoryError."""
        moved = 0
        items = self._inbox.items()
        while batch := list(islice(items, _BATCH)):
            moved += store_pushes(history, [one for name, content in batch for one in self._parse(name, content)])
            for name, _ in batch:
                self._inbox.remove(name)
        return moved

    def _parse(self, name: str, content: bytes) -> list[Push]:
        try:
            return [_push(row) for row in json.loads(content)]
        except (ValueError, TypeError, KeyError) as error:
            _LOG.error("The file %s in the inbox does not contain pushes and is set aside: %s", name, error)
            self._inbox.set_aside(name)
            return []

    def _is_in_history(self, push: Push) -> bool:
        try:
            return is_stored(self._history, push.id)
        except HistoryError as error:
            # The inbox accepts it all the same; a duplicate is recognised when it is moved.
            _LOG.warning("A push is accepted although the history cannot be read: %s", error)
            return False


def _push(row: dict[str, Any]) -> Push:
    return Push(**row | {"received_at": datetime.fromisoformat(row["received_at"])})
