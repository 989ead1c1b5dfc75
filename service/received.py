"""Deliveries from the moment they are received until they are in the history."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import Any

from infraaudit_domain.errors import HistoryError
from resources.history import History
from resources.history.pushes import Delivery, is_stored, store_deliveries
from resources.machine.inbox import Inbox

_BATCH = 100
_LOG = logging.getLogger("infraaudit.webhook")


class Received:
    """The inbox of webhook deliveries."""

    def __init__(self, inbox: Inbox, history: History) -> None:
        self._inbox, self._history = inbox, history

    def keep(self, given: str, deliveries: Sequence[Delivery]) -> bool:
        """Store one request's deliveries durably; False where it was received before. Raises OSError."""
        rows = [asdict(delivery) | {"received_at": delivery.received_at.isoformat()} for delivery in deliveries]
        return not self._is_in_history(deliveries[0]) and self._inbox.put(given, json.dumps(rows).encode())

    def move_to(self, history: History) -> int:
        """Store what is in the inbox in the history, then forget it here. Raises HistoryError."""
        moved = 0
        items = self._inbox.items()
        while batch := list(islice(items, _BATCH)):
            moved += store_deliveries(history, [one for name, content in batch for one in self._parse(name, content)])
            for name, _ in batch:
                self._inbox.remove(name)
        return moved

    def _parse(self, name: str, content: bytes) -> list[Delivery]:
        try:
            return [_delivery(row) for row in json.loads(content)]
        except (ValueError, TypeError, KeyError) as error:
            _LOG.error("The file %s in the inbox holds no deliveries and is set aside: %s", name, error)
            self._inbox.set_aside(name)
            return []

    def _is_in_history(self, delivery: Delivery) -> bool:
        try:
            return is_stored(self._history, delivery.id)
        except HistoryError as error:
            # The inbox takes it all the same; it is found to be known when it is moved.
            _LOG.warning("A delivery is taken without the history: %s", error)
            return False


def _delivery(row: dict[str, Any]) -> Delivery:
    return Delivery(**row | {"received_at": datetime.fromisoformat(row["received_at"])})
