"""Name the commits of findings by scanning as few as needed, in the background, one finding after the other.

What waits is kept in memory alone: every scan is stored as it ends, so that what a restart forgets is asked for once
more and resumes. Deliberately absent: which commits are scanned (infraaudit/scans/narrowing.py), and who may ask
(narrowing.py).
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from infraaudit.scans.cross_scanning import Runner
from infraaudit.scans.lifecycles import Line
from infraaudit.scans.narrowing import narrow
from infraaudit_domain.errors import InfraAuditError, excerpt
from infraaudit_domain.projects import Project
from resources.git.mirror import Mirror
from resources.history import History

MOST_WAITING = 20
_REMEMBERED = 200
_LOG = logging.getLogger("infraaudit.narrow")


class NarrowState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class Narrowing:
    """One finding whose commits are looked for."""

    project: str
    finding: str
    max_scans: int
    state: NarrowState = NarrowState.WAITING
    scans: int = 0
    """Commits scanned for it so far."""
    reason: str = ""
    """Why it failed."""

    @property
    def is_over(self) -> bool:
        return self.state in (NarrowState.DONE, NarrowState.FAILED)


class NarrowWorker:
    """Processes what was asked for in the background of the server."""

    def __init__(
        self, history: History, projects: Sequence[Project], mirror: Callable[[Project], Mirror], runner: Runner
    ) -> None:
        self._history, self._mirror, self._runner = history, mirror, runner
        self._projects = {project.name: project for project in projects}
        self._asked: OrderedDict[tuple[str, str], Narrowing] = OrderedDict()
        self._arrived = asyncio.Event()

    def ask(self, project: str, finding: str, max_scans: int) -> Narrowing | None:
        """What is under way for a finding, begun now where nothing is; None where too many wait already."""
        known = self.of(project, finding)
        if known is not None and not known.is_over:
            return known
        if project not in self._projects or sum(not each.is_over for each in self._asked.values()) >= MOST_WAITING:
            return None
        asked = self._asked[project, finding] = Narrowing(project, finding, max_scans)
        self._asked.move_to_end((project, finding))
        over = [key for key, each in self._asked.items() if each.is_over]
        for key in over[: max(0, len(over) - _REMEMBERED)]:
            del self._asked[key]
        self._arrived.set()
        return asked

    def of(self, project: str, finding: str) -> Narrowing | None:
        """What was last asked for a finding since the service started."""
        return self._asked.get((project, finding))

    async def run(self) -> None:
        """Work until cancelled; an error in one search never ends the loop."""
        while True:
            self._arrived.clear()
            while waiting := next((each for each in self._asked.values() if not each.is_over), None):
                await asyncio.to_thread(self.work, waiting)
            await self._arrived.wait()

    def work(self, asked: Narrowing) -> None:
        """Scan what one finding needs, and record how that ended."""
        asked.state = NarrowState.RUNNING
        try:
            self._narrow(asked)
            asked.state = NarrowState.DONE
        except InfraAuditError as error:
            asked.state, asked.reason = NarrowState.FAILED, excerpt(str(error), 300)
        except Exception as error:
            _LOG.exception("The commits of %s in %s could not be named", asked.finding, asked.project)
            asked.state, asked.reason = NarrowState.FAILED, excerpt(f"{type(error).__name__}: {error}", 300)

    def _narrow(self, asked: Narrowing) -> None:
        project = self._projects[asked.project]
        mirror = self._mirror(project)
        if not mirror.path.exists():
            mirror.fetch()
        line = Line(self._history, mirror, project.name, project.deploy_branch)

        def count(_: object) -> None:
            asked.scans += 1

        narrow(line, project, asked.finding, self._runner, asked.max_scans, count)
