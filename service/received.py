"""Pushes between their arrival and the history: a file each in a durable inbox.

What cannot be stored is set aside alone, with the reason: a push of one project never holds up those of another.
"""

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from infraaudit_domain.errors import HistoryError, excerpt
from infraaudit_domain.judging.audit_log import Act, Actor
from infraaudit_domain.pushes import REPLAY_WINDOW, Arrival, of_the_same_body
from resources.history import History
from resources.history.decisions.audit_log import log_act
from resources.history.pushes import Push, is_replayed, is_stored, store_pushes
from resources.machine.inbox import Inbox

_BATCH = 100
_WORD = re.compile(r"[ -~]{1,128}")
_TEXT = re.compile(r"[^\x00\ud800-\udfff]{1,1000}")
_SHA = re.compile(r"[0-9a-f]{0,64}")
_LOG = logging.getLogger("infraaudit.webhook")


class Received:
    """The inbox of pushes."""

    def __init__(self, inbox: Inbox, history: History) -> None:
        self._inbox, self._history = inbox, history

    def keep(self, given: str, pushes: Sequence[Push]) -> Arrival:
        """Store the pushes of one request durably, unless they were received before. Raises OSError."""
        rows = [asdict(push) | {"received_at": push.received_at.isoformat()} for push in pushes]
        if self._is_in_history(pushes[0]):
            return Arrival.KNOWN
        if self._is_replayed(given) and not self._inbox.has(given):
            return Arrival.REPLAYED
        return Arrival.STORED if self._inbox.put(given, json.dumps(rows).encode()) else Arrival.KNOWN

    def note(self, sender: Actor, project: str, branches: Sequence[str]) -> None:
        """Write to the audit log who sent a push without a signature; the push counts also where that cannot be written."""
        try:
            log_act(self._history, sender, Act.PUSH, project, " ".join(branches))
        except HistoryError as error:
            _LOG.warning("The push of %s to %s is not in the audit log: %s", sender.name, project, error)

    def move_to(self, history: History) -> int:
        """Move everything from the inbox into the history; returns how many pushes. Raises HistoryError."""
        moved = 0
        items = self._inbox.items()
        while batch := list(islice(items, _BATCH)):
            parsed = {name: self._parse(name, content) for name, content in batch}
            moved += self._store(history, parsed)
            for name in parsed:
                self._inbox.remove(name)
        return moved

    def _store(self, history: History, parsed: dict[str, list[Push]]) -> int:
        try:
            return store_pushes(history, [push for pushes in parsed.values() for push in pushes])
        except Exception as error:
            if len(parsed) > 1:
                return sum(self._store(history, {name: pushes}) for name, pushes in parsed.items())
            if isinstance(error, HistoryError):
                raise
            self._refuse(next(iter(parsed)), error)
            return 0

    def _parse(self, name: str, content: bytes) -> list[Push]:
        try:
            return [_push(row) for row in json.loads(content)]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            self._refuse(name, error)
            return []

    def _refuse(self, name: str, error: Exception) -> None:
        said = excerpt(str(error), 200)
        _LOG.error("The file %s in the inbox does not contain pushes and is set aside: %s", name, said)
        self._inbox.set_aside(name)

    def _is_in_history(self, push: Push) -> bool:
        try:
            return is_stored(self._history, push.id)
        except HistoryError as error:
            # The inbox accepts it all the same; a duplicate is recognised when it is moved.
            _LOG.warning("A push is accepted although the history cannot be read: %s", error)
            return False

    def _is_replayed(self, given: str) -> bool:
        begin = of_the_same_body(given)
        try:
            return self._inbox.has(begin) or is_replayed(self._history, begin, datetime.now(UTC) - REPLAY_WINDOW)
        except HistoryError:
            return False


def _push(row: dict[str, Any]) -> Push:
    """A row as a push. Raises ValueError, TypeError or KeyError for what no database or forge has."""
    push = Push(**row | {"received_at": datetime.fromisoformat(row["received_at"])})
    words = (push.id, push.project, push.forge)
    if not all(_WORD.fullmatch(word) for word in words) or not _TEXT.fullmatch(push.branch):
        raise ValueError("its id, project, forge or branch is no text that can be stored")
    if not _SHA.fullmatch(push.before) or not _SHA.fullmatch(push.after) or type(push.attempts) is not int:
        raise ValueError("before and after are no SHAs")
    if push.received_at.tzinfo is None:
        raise ValueError("received_at has no time zone")
    return push
