"""Deliver what waits in the outbox: notices whose first sending failed, or whose sender died before it sent.

A sensor sends its own notices at once; this takes only what has waited longer than that needs, so that nothing is
sent twice. Where a project's URLs do not answer, its other notices wait with it. Deliberately absent: writing notices.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from infraaudit_assets.domain.errors import HistoryError
from infraaudit_assets.domain.notices import Notice
from resources.history import History, schema
from resources.history.queries.places import rows_of

PATIENCE = timedelta(seconds=20)
ROUND_SECONDS = 5.0
_LONGEST_WAIT = 300.0
_BATCH = 100
_LOG = logging.getLogger("infraaudit.notices")


class NoticeWorker:
    """Sends overdue notices, one round after the other; ``send`` returns what went wrong, or None."""

    def __init__(self, history: History, send: Callable[[Notice], str | None]) -> None:
        self._history, self._send = history, send
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.deliver)
            except HistoryError as error:
                _LOG.error("%s", error)
            await asyncio.sleep(ROUND_SECONDS)

    def deliver(self) -> int:
        """One round over what is overdue; returns how many were sent."""
        sent = 0
        for notice in self._overdue():
            if self._not_before.get(notice.project, 0.0) > time.monotonic():
                continue
            fault = self._send(notice)
            self._history.mark_notice(notice.key, datetime.now(UTC), fault)
            if fault is None:
                sent += 1
                self._failures.pop(notice.project, None)
                continue
            failures = self._failures[notice.project] = self._failures.get(notice.project, 0) + 1
            self._not_before[notice.project] = time.monotonic() + min(_LONGEST_WAIT, 2.0 ** min(failures, 9))
            _LOG.warning("Notice %s of %s waits: %s", notice.key, notice.project, fault)
        return sent

    def _overdue(self) -> Sequence[Notice]:
        table = schema.notices
        waiting = table.c.sent_at.is_(None) & (table.c.created_at <= datetime.now(UTC) - PATIENCE)
        # A project whose URLs are down must not keep those of another from being read.
        blocked = [name for name, until in self._not_before.items() if until > time.monotonic()]
        query = sa.select(*(table.c[name] for name in Notice.__dataclass_fields__))
        query = query.where(waiting, table.c.project.not_in(blocked)).order_by(table.c.created_at).limit(_BATCH)
        return [Notice(**dict(row)) for row in rows_of(self._history, query)]
