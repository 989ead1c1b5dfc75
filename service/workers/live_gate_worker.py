"""Judge what is live again: after every change of the rules, and every few hours. One look a minute costs little.

Deliberately absent: the judgement (infraaudit/live_gate.py), and when it is due (infraaudit_domain/judging/live.py).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from infraaudit.live_gate import judge_live_where_due
from infraaudit_domain.dagster_names import LIVE_STILL_PASSES, deployment_name, group_of
from infraaudit_domain.errors import DagsterUnavailableError
from infraaudit_domain.judging.live import LiveJudgement
from infraaudit_domain.projects import Environment, Project
from resources.git.mirror import Mirror
from resources.history import History
from service.faults import errors_logged

_SECONDS = 60.0
_LOG = logging.getLogger("infraaudit.live_gate")

Show = Callable[[Sequence[str], str, bool, str, Mapping[str, str]], None]
"""Of an asset's key, a check, whether it passed, words and metadata. Raises DagsterUnavailableError."""


class LiveGateWorker:
    """Judges every environment where it is due, and shows Dagster each judgement, later where it does not answer."""

    def __init__(
        self,
        history: Callable[[], History],
        projects: Sequence[Project],
        mirror: Callable[[Project], Mirror],
        gate_file: Path,
        show: Show,
    ) -> None:
        """``history`` is rated by the severities of now whenever it is asked for."""
        self._history, self._projects, self._mirror, self._gate_file = history, projects, mirror, gate_file
        self._show, self._unshown = show, dict[tuple[str, str], LiveJudgement]()

    async def run(self) -> None:
        """Work until cancelled; an error of one environment never ends it."""
        while True:
            for project in self._projects:
                if not project.fault:
                    began = time.monotonic()
                    await asyncio.to_thread(self.work, project, datetime.now(UTC))
                    await asyncio.sleep(time.monotonic() - began)  # Half of one processor is left to others.
            await asyncio.sleep(_SECONDS)

    def work(self, project: Project, now: datetime) -> None:
        """Judge what is due of one project."""
        for environment in project.environments:
            with errors_logged(_LOG, f"What is live of {project.name} in {environment.name} could not be judged"):
                found = judge_live_where_due(
                    self._history(), self._mirror(project), project, environment, self._gate_file, now
                )
                if found is not None:
                    self._unshown[project.name, environment.name] = found
                self._show_it(project, environment)

    def _show_it(self, project: Project, environment: Environment) -> None:
        judged = (project.name, environment.name)
        if (judgement := self._unshown.get(judged)) is None:
            return
        asset, about = [group_of(project), deployment_name(project, environment)], {"commit": judgement.sha}
        try:
            self._show(asset, LIVE_STILL_PASSES, judgement.passes, str(judgement), about)
        except DagsterUnavailableError as error:
            _LOG.info("Dagster was not shown it yet: %s", error)
        else:
            del self._unshown[judged]
