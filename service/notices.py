"""Announce events and send due notices from the service too, so that notices arrive while Dagster's daemon is down.

Deliberately absent: what is announced (infraaudit/notices/announcer.py) and how it is sent (resources/notifier.py).
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from infraaudit.notices.announcer import Announcer
from infraaudit.notices.outgoing import send_notices
from infraaudit.notices.sensor_watch import SensorWatch
from resources.history import History
from resources.notifier import Notifier
from service.faults import errors_logged

ROUND_SECONDS = 3.0
_LOG = logging.getLogger("infraaudit.notices")


class NoticeWorker:
    """Announces and sends in rounds."""

    def __init__(
        self,
        history: History,
        announcer: Announcer,
        notifier_of: Callable[[str], Notifier],
        sensors: SensorWatch | None = None,
    ) -> None:
        self._history, self._announcer, self._notifier_of, self._sensors = history, announcer, notifier_of, sensors

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            with errors_logged(_LOG, "Notices could not be announced or sent"):
                await asyncio.to_thread(self.work)
            await asyncio.sleep(ROUND_SECONDS)

    def work(self) -> int:
        """One round; returns how many notices were sent."""
        now = datetime.now(UTC)
        self._announcer.announce(now)
        if self._sensors:
            self._sensors.look(now)
        return send_notices(self._history, self._notifier_of)
