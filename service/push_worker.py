"""Process stored deliveries: fetch, find the commits of the push, start their runs.

Each project's deliveries are processed in turn, beside those of the others: a repository that hangs holds up its
own project alone. A delivery whose repository or Dagster does not answer waits, and is tried again. Deliberately
absent: what became of branches, and pushes beyond 100 commits; the Git sensor finds whatever a delivery leaves out.
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
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.projects import Project
from infraaudit_domain.pushes import DeliveryState
from infraaudit_domain.triggers import is_watched
from resources.dagster.api import DagsterApi
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.git_events import recorded_commits
from resources.history.pushes import Delivery, abandon_deliveries, finish_deliveries, waiting_deliveries
from service.faults import errors_logged
from service.received import Received

IDLE_SECONDS = 5.0
_LONGEST_WAIT = 60.0
_LOG = logging.getLogger("infraaudit.deliveries")


@dataclass(frozen=True, slots=True)
class Launch:
    """How Dagster calls what runs a project's commits."""

    project: Project
    job: str
    partitions: str
    sensor: str
    run_key: Callable[[str], str]
    tags: Callable[[str, str], Mapping[str, str]]


class DeliveryWorker:
    """Works off deliveries beside the server."""

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
        # Threads of its own: those of the server answer webhooks.
        self._threads = ThreadPoolExecutor(max_workers=len(launches) + 1, thread_name_prefix="deliveries")

    def wake(self) -> None:
        """There is a delivery."""
        self._arrived.set()

    async def run(self) -> None:
        """Work until cancelled. An error of one delivery never ends this."""
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
            # Not wait_for: before Python 3.12 it forgets a cancellation that comes together with a wake.
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await wake.wait()

    def take_in(self) -> int:
        """Put what was received into the history; returns how many deliveries that were."""
        abandon_deliveries(self._history, list(self._launches))
        return self._received.move_to(self._history)

    def process(self, project: str) -> int:
        """Take every waiting delivery of a project whose turn it is, after one fetch; returns how many are done."""
        now = time.monotonic()
        waiting = waiting_deliveries(self._history, project)
        due = [delivery for delivery in waiting if self._not_before.get(delivery.id, 0.0) <= now]
        if not due:
            return 0
        launch = self._launches[project]
        fault, there = self._fetch(launch.project, due)
        done = 0
        for delivery in due:
            if not fault and delivery.after not in there:
                continue
            state, reason = (DeliveryState.WAITING, fault) if fault else self._work(launch, delivery)
            finish_deliveries(self._history, [delivery], state, reason)
            done += state is not DeliveryState.WAITING
            if state is DeliveryState.WAITING:
                self._not_before[delivery.id] = time.monotonic() + min(_LONGEST_WAIT, 2.0 ** min(delivery.attempts, 6))
                _LOG.warning("Delivery %s waits: %s", delivery.id, reason)
            else:
                self._not_before.pop(delivery.id, None)
        absent = [] if fault else [delivery for delivery in due if delivery.after not in there]
        finish_deliveries(self._history, absent, DeliveryState.FAILED, "the repository has no such commit")
        return done + len(absent)

    def _fetch(self, project: Project, due: Sequence[Delivery]) -> tuple[str, set[str]]:
        """Bring the mirror up to date; what went wrong, or nothing, and which of the pushed tips it has."""
        if project.fault:
            return project.fault, set()
        try:
            mirror = self._mirror(project)
            mirror.fetch()
            return "", set(mirror.existing([delivery.after for delivery in due]))
        except InfraAuditError as error:
            return str(error), set()

    def _work(self, launch: Launch, delivery: Delivery) -> tuple[DeliveryState, str]:
        """The state of a delivery after an attempt, and the reason for it."""
        project = launch.project
        if not is_watched(project, delivery.branch):
            return DeliveryState.IGNORED, f"{delivery.branch} is no branch that is watched"
        try:
            mirror = self._mirror(project)
            commits = self._commits(mirror, project, delivery)
            skipped = reasons_to_skip(mirror, project, commits)
            wanted = [sha for sha in commits if sha not in skipped]
            for sha in wanted:
                self._start(launch, sha, delivery.branch)
        except InfraAuditError as error:
            return DeliveryState.WAITING, str(error)
        reasons = [f"{sha[:12]} has no run: {reason}" for sha, reason in skipped.items()]
        return DeliveryState.DONE, "; ".join([f"{len(wanted)} commits", *reasons])

    def _start(self, launch: Launch, sha: str, branch: str) -> None:
        tags = {SENSOR_NAME: launch.sensor, **launch.tags(sha, branch)}
        self._dagster.launch(launch.job, launch.partitions, sha, launch.run_key(sha), tags)

    def _commits(self, mirror: Mirror, project: Project, delivery: Delivery) -> list[str]:
        """The first 100 commits of a push, parents first."""
        tip = delivery.after
        known = mirror.existing([delivery.before]) if delivery.before else []
        if known:
            return mirror.commits([tip], known)[:BATCH]
        return unseen(mirror, project, tip, recorded_commits(self._history, project.name))[:BATCH]
