"""Process stored pushes: fetch, find the commits of each push, start their runs.

Projects are processed in parallel, the pushes of one project in order: a repository that hangs holds up its own
project alone. While the repository or Dagster does not answer, a push waits and is tried again. Deliberately absent:
the history of branches, and pushes beyond 100 commits; the Git sensor finds whatever a push leaves out.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from infraaudit.intake.new_commits import BATCH, reasons_to_skip, unseen
from infraaudit_domain.dagster_names import SENSOR_NAME
from infraaudit_domain.errors import HistoryError, InfraAuditError, excerpt
from infraaudit_domain.forge.statuses import expected_of
from infraaudit_domain.projects import Project
from infraaudit_domain.pushes import PushState
from infraaudit_domain.triggers import is_watched
from resources.dagster.api import DagsterApi
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.forge.expected import expect_statuses
from resources.history.git_events import recorded_commits
from resources.history.pushes import Push, abandon_pushes, finish_pushes, waiting_pushes
from service.faults import errors_logged
from service.received import Received

IDLE_SECONDS = 5.0
_LONGEST_WAIT = 60.0
_MOST_DEFECTS = 5
_LOG = logging.getLogger("infraaudit.pushes")


@dataclass(frozen=True, slots=True)
class Launch:
    """What Dagster calls the job, partitions and sensor of a project."""

    project: Project
    job: str
    partitions: str
    sensor: str
    run_key: Callable[[str], str]
    tags: Callable[[str, str], Mapping[str, str]]


class PushWorker:
    """Processes pushes in the background of the server."""

    def __init__(
        self,
        history: History,
        received: Received,
        launches: Mapping[str, Launch],
        mirror: Callable[[Project], Mirror],
        dagster: DagsterApi,
    ) -> None:
        self._history, self._received, self._launches = history, received, launches
        self._mirror, self._dagster = mirror, dagster
        self._arrived = asyncio.Event()
        self._wakes = {name: asyncio.Event() for name in launches}
        self._not_before: dict[str, float] = {}
        # Its own threads: the server's are kept free to answer webhooks.
        self._threads = ThreadPoolExecutor(max_workers=len(launches) + 1, thread_name_prefix="pushes")

    def wake(self) -> None:
        """Start the next round now: a push has arrived."""
        self._arrived.set()

    async def run(self) -> None:
        """Work until cancelled; an error in one push never ends the loop."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again_and_again(self._arrived, self.take_in))
            for name, wake in self._wakes.items():
                tasks.create_task(self._again_and_again(wake, partial(self.process, name)))

    async def _again_and_again(self, wake: asyncio.Event, work: Callable[[], object]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wake.clear()
            with errors_logged(_LOG, "Pushes could not be processed"):
                if await loop.run_in_executor(self._threads, work) and wake is self._arrived:
                    for of_project in self._wakes.values():
                        of_project.set()
            # Not wait_for: before Python 3.12 it loses a cancellation that arrives together with a wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await wake.wait()

    def take_in(self) -> int:
        """Move received pushes from the inbox into the history; returns how many."""
        abandon_pushes(self._history, list(self._launches))
        return self._received.move_to(self._history)

    def process(self, project: str) -> int:
        """Fetch once and process every push of a project that is due; returns how many are finished."""
        now = time.monotonic()
        waiting = waiting_pushes(self._history, project)
        due = [push for push in waiting if self._not_before.get(push.id, 0.0) <= now]
        if not due:
            return 0
        launch = self._launches[project]
        fault, there = self._fetch(launch.project, due)
        done = 0
        for push in due:
            if not fault and push.after not in there:
                continue
            state, reason = (PushState.WAITING, fault) if fault else self._guarded(launch, push)
            finish_pushes(self._history, [push], state, reason)
            done += state is not PushState.WAITING
            if state is PushState.WAITING:
                self._not_before[push.id] = time.monotonic() + min(_LONGEST_WAIT, 2.0 ** min(push.attempts, 6))
                _LOG.warning("Push %s waits: %s", push.id, reason)
            else:
                self._not_before.pop(push.id, None)
        absent = [] if fault else [push for push in due if push.after not in there]
        finish_pushes(self._history, absent, PushState.FAILED, "the repository has no such commit")
        return done + len(absent)

    def _fetch(self, project: Project, due: Sequence[Push]) -> tuple[str, set[str]]:
        """Update the mirror; returns the error (empty if none) and which of the pushed tips the mirror has."""
        if project.fault:
            return project.fault, set()
        try:
            mirror = self._mirror(project)
            mirror.fetch()
            return "", set(mirror.existing([push.after for push in due]))
        except InfraAuditError as error:
            return str(error), set()

    def _guarded(self, launch: Launch, push: Push) -> tuple[PushState, str]:
        """The same for a push that meets a defect of ours: it ends alone, after some attempts."""
        try:
            return self._work(launch, push)
        except HistoryError:
            raise
        except Exception as error:
            _LOG.exception("Push %s could not be processed", push.id)
            is_over = push.attempts >= _MOST_DEFECTS
            return PushState.FAILED if is_over else PushState.WAITING, excerpt(f"{type(error).__name__}: {error}", 300)

    def _work(self, launch: Launch, push: Push) -> tuple[PushState, str]:
        """The state of a push after an attempt, and the reason for that state."""
        project = launch.project
        if not is_watched(project, push.branch):
            return PushState.IGNORED, f"{push.branch} is not a watched branch"
        try:
            mirror = self._mirror(project)
            commits = self._commits(mirror, project, push)
            skipped = reasons_to_skip(mirror, project, commits)
            wanted = [sha for sha in commits if sha not in skipped]
            if project.forge:
                # Before the runs are asked for: Dagster takes longer than the forge does.
                expect_statuses(self._history, project.name, wanted, expected_of(project))
            for sha in wanted:
                self._start(launch, sha, push.branch)
        except InfraAuditError as error:
            return PushState.WAITING, str(error)
        reasons = [f"{sha[:12]} has no run: {reason}" for sha, reason in skipped.items()]
        return PushState.DONE, "; ".join([f"{len(wanted)} commits", *reasons])

    def _start(self, launch: Launch, sha: str, branch: str) -> None:
        tags = {SENSOR_NAME: launch.sensor, **launch.tags(sha, branch)}
        self._dagster.launch(launch.job, launch.partitions, sha, launch.run_key(sha), tags)

    def _commits(self, mirror: Mirror, project: Project, push: Push) -> list[str]:
        """The first 100 commits of a push, parents first."""
        tip = push.after
        known = mirror.existing([push.before]) if push.before else []
        if known:
            return mirror.commits([tip], known)[:BATCH]
        return unseen(mirror, project, tip, recorded_commits(self._history, project.name))[:BATCH]
