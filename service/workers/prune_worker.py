"""Retention by itself: `infraaudit prune` once a day, in a process of its own whose memory is given back.

When it last ran is the time of a file in the state folder, under whose lock one of several services prunes. Deliberately
absent: what goes and what stays (infraaudit_assets/commands/prune.py).
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from resources.machine import process
from resources.machine.locks import locked_within
from service.faults import errors_logged

_DAY, _LOOK_SECONDS = 86400.0, 600.0
_LONGEST_SECONDS = 4 * 3600.0
_LOG = logging.getLogger("infraaudit.prune")


class PruneWorker:
    """Runs a command once a day; the first time a day after an installation's first start."""

    def __init__(self, command: Sequence[str], marker: Path, clock: Callable[[], float] = time.time) -> None:
        self._command, self._marker, self._clock = command, marker, clock

    async def run(self) -> None:
        """Work until cancelled; after an error it is tried again the next day."""
        while True:
            with errors_logged(_LOG, "Old data could not be pruned"):
                await asyncio.to_thread(self.work)
            await asyncio.sleep(_LOOK_SECONDS)

    def work(self) -> bool:
        """Prune where a day has passed; returns whether it was done."""
        with locked_within(self._marker.with_suffix(".lock"), 0) as ours:
            if not ours or not self._is_due():
                return False
            self._mark()
            done = process.run(self._command, timeout=_LONGEST_SECONDS, called="infraaudit prune")
            _LOG.info("Pruned: %s", done.text.strip().replace("\n", "; "))
            return True

    def _is_due(self) -> bool:
        if not self._marker.exists():
            self._mark()
        return self._clock() - self._marker.stat().st_mtime >= _DAY

    def _mark(self) -> None:
        self._marker.touch()
        os.utime(self._marker, (self._clock(), self._clock()))
