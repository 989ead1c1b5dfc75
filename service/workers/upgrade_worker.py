"""Bring every project's history to the rules of this version, in the background, at half of one processor's time.

Deliberately absent: what is scanned again (infraaudit/scans/upgrade.py), and its progress, which is read from the
history (`infraaudit status`).
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from infraaudit.scans.cross_scanning import Runner
from infraaudit.scans.upgrade import upgrade_some
from infraaudit_domain.projects import Project
from resources.git.mirror import Mirror
from resources.history import History
from service.faults import errors_logged

_RETRY_SECONDS = 600.0
"""Until a project whose history could not be brought to the new rules is tried again."""
_LOG = logging.getLogger("infraaudit.upgrade")


class UpgradeWorker:
    """Works until no scan under earlier rules is left; a new version starts a new service."""

    def __init__(
        self, history: History, projects: Sequence[Project], mirror: Callable[[Project], Mirror], runner: Runner
    ) -> None:
        self._history, self._projects, self._mirror, self._runner = history, projects, mirror, runner
        self._given_up: dict[str, set[str]] = defaultdict(set)

    async def run(self) -> None:
        """Work until cancelled, or done."""
        while True:
            are_done = True
            for project in self._projects:
                are_done &= await self._upgrade(project)
            if are_done:
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _upgrade(self, project: Project) -> bool:
        with errors_logged(_LOG, f"The history of {project.name} could not be brought to the new rules"):
            left = 1
            while left:
                began = time.monotonic()
                left = await asyncio.to_thread(self.upgrade, project)
                await asyncio.sleep(time.monotonic() - began if left else 0)
            return True
        return False

    def upgrade(self, project: Project) -> int:
        """Scan some commits again; returns how many are left."""
        given_up = self._given_up[project.name]
        done = upgrade_some(self._history, self._mirror(project), project, self._runner, given_up)
        given_up.update(done.failed)
        return done.left
