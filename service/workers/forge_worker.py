"""Show the forges what becomes of commits: every second, what is new is wanted, and what is wanted is sent.

Each project is sent by itself: a forge that hangs holds up its own project alone, and no run ever waits for one.
Deliberately absent: what a status says, and what an answer means (infraaudit_domain/forge).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infraaudit.forge.commenting import send_comments
from infraaudit.forge.facts import FactWatch, Judge
from infraaudit.forge.sending import send_statuses
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.projects import Project
from resources.forge.client import ForgeClient, new_connections
from resources.history import History
from resources.history.forge.comments import comments_due
from resources.history.forge.faults import forget_other_forges, note_fault
from resources.history.forge.statuses import projects_due
from service.faults import errors_logged

if TYPE_CHECKING:
    import httpx

ROUND_SECONDS = 1.0
_NO_TOKEN_SECONDS = 60.0
"""Until it is looked again for a token, or for certificates."""
_LOG = logging.getLogger("infraaudit.forge")


class ForgeWorker:
    """Sends the statuses of those projects that have a forge."""

    def __init__(
        self,
        history: History,
        projects: Mapping[str, Project],
        token: Callable[[Project], str],
        judge: Judge,
        public_url: str,
    ) -> None:
        """``token`` is read anew each time; it raises ConfigurationError. Without ``public_url`` statuses have no link."""
        self._history, self._token, self._public_url = history, token, public_url.rstrip("/")
        self._projects = {name: one for name, one in projects.items() if one.forge and not one.fault}
        # That of a broken entry is not known.
        self._may_have_one = {name for name, one in projects.items() if one.forge or one.fault}
        self._facts = FactWatch(history, self._projects, judge)
        self._sending: set[str] = set()
        # Its own threads: the server's are kept free to answer requests.
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="forge")

    async def run(self) -> None:
        """Work until cancelled."""
        with errors_logged(_LOG, "What is left of forges that were removed could not be dropped"):
            await asyncio.get_running_loop().run_in_executor(
                self._threads, forget_other_forges, self._history, self._may_have_one
            )
        if self._projects:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch())
                tasks.create_task(self._send_in_rounds())

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            left, began = 0, time.monotonic()
            with errors_logged(_LOG, "What became of commits could not be read"):
                left = await loop.run_in_executor(self._threads, self._facts.look, datetime.now(UTC))
            # While there is more, half of one processor is left to others.
            await asyncio.sleep(time.monotonic() - began if left else ROUND_SECONDS)

    async def _send_in_rounds(self) -> None:
        while True:
            with errors_logged(_LOG, "No statuses of commits can be sent"):
                async with new_connections() as connections, asyncio.TaskGroup() as tasks:
                    await self._rounds(connections, tasks)
            await asyncio.sleep(_NO_TOKEN_SECONDS)

    async def _rounds(self, connections: "httpx.AsyncClient", tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with errors_logged(_LOG, "It could not be read what is to be sent to forges"):
                for name in await loop.run_in_executor(self._threads, self._due, datetime.now(UTC)):
                    if name in self._projects and name not in self._sending:
                        self._sending.add(name)
                        tasks.create_task(self._send(self._projects[name], connections))
            await asyncio.sleep(ROUND_SECONDS)

    def _due(self, now: datetime) -> set[str]:
        """The projects that have something to send."""
        # What waits from before comments were switched off goes on waiting.
        commented = {name for name, one in self._projects.items() if one.forge and one.forge.comments}
        return {*projects_due(self._history, now), *commented.intersection(comments_due(self._history, now))}

    async def _send(self, project: Project, connections: "httpx.AsyncClient") -> None:
        loop = asyncio.get_running_loop()
        try:
            with errors_logged(_LOG, f"The statuses of {project.name} could not be sent"):
                if project.forge and (token := await loop.run_in_executor(self._threads, self._token_of, project)):
                    client = ForgeClient(project.forge, token, connections)
                    await send_statuses(self._history, project.name, client, self._link(project), self._threads)
                    if project.forge.comments:
                        await send_comments(self._history, project.name, client, self._threads)
        finally:
            self._sending.discard(project.name)

    def _token_of(self, project: Project) -> str:
        """The token; empty where there is none, which is recorded."""
        try:
            return self._token(project)
        except InfraAuditError as error:
            if note_fault(self._history, project.name, str(error), datetime.now(UTC), _NO_TOKEN_SECONDS):
                _LOG.warning("The forge of %s is sent no statuses: %s", project.name, error)
            return ""

    def _link(self, project: Project) -> Callable[[str], str]:
        base = f"{self._public_url}/projects/{project.name}/commits" if self._public_url else ""
        return lambda sha: f"{base}/{sha}" if base else ""
