"""Work off stored deliveries: fetch, find the new commits, start their runs.

A delivery whose repository or Dagster does not answer waits, and is tried again. Deliberately absent: deciding what
is new after a force-push or for a new branch; the Git sensor finds whatever a delivery leaves out.
"""

import asyncio
import fnmatch
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infraaudit_assets.domain.errors import DagsterUnavailableError, HistoryError, InfraAuditError, UnknownRevisionError
from infraaudit_assets.domain.projects import Project
from resources.dagster_api import DagsterApi
from resources.git import Mirror
from resources.history import History
from resources.history.deliveries import Delivery, finish_delivery, waiting_deliveries

IDLE_SECONDS = 5.0
MAX_COMMITS = 100
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


class DeliveryWorker:
    """Works off deliveries one after the other, beside the server."""

    def __init__(
        self, history: History, launches: Mapping[str, Launch], mirror: Callable[[Project], Mirror], dagster: DagsterApi
    ) -> None:
        self._history, self._launches, self._mirror, self._dagster = history, launches, mirror, dagster
        self._wake = asyncio.Event()
        self._not_before: dict[str, float] = {}

    def wake(self) -> None:
        """There is a delivery."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled. An error of one delivery never ends this."""
        while True:
            self._wake.clear()
            try:
                await asyncio.to_thread(self.work_off)
            except HistoryError as error:
                _LOG.error("%s", error)
            try:
                await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)
            except TimeoutError:
                continue

    def work_off(self) -> int:
        """Take every waiting delivery whose turn it is; returns how many are done."""
        done = 0
        for delivery in waiting_deliveries(self._history):
            if self._not_before.get(delivery.id, 0.0) > time.monotonic():
                continue
            state, reason = self._work(delivery)
            finish_delivery(self._history, delivery.id, state, reason)
            if state == "waiting":
                self._not_before[delivery.id] = time.monotonic() + min(_LONGEST_WAIT, 2.0 ** min(delivery.attempts, 6))
                _LOG.warning("Delivery %s waits: %s", delivery.id, reason)
            else:
                self._not_before.pop(delivery.id, None)
                done += 1
        return done

    def _work(self, delivery: Delivery) -> tuple[str, str]:
        launch = self._launches.get(delivery.project)
        if launch is None:
            return "failed", "the project is no longer in the projects file"
        if not any(fnmatch.fnmatchcase(delivery.branch, pattern) for pattern in launch.project.branches):
            return "ignored", f"{delivery.branch} is no branch that is watched"
        try:
            mirror = self._mirror(launch.project)
            mirror.fetch()
            commits = _new_commits(mirror, delivery)
            for sha in commits:
                tags = {"dagster/sensor_name": launch.sensor, "infraaudit/commit": sha}
                self._dagster.launch(launch.job, launch.partitions, sha, launch.run_key(sha), tags)
        except UnknownRevisionError:
            return "failed", f"the repository has no commit {delivery.after[:12]}"
        except (DagsterUnavailableError, InfraAuditError) as error:
            return "waiting", str(error)
        return "done", f"{len(commits)} commits"


def _new_commits(mirror: Mirror, delivery: Delivery) -> list[str]:
    """The commits of a push, parents first; of a new branch, the tip. Raises UnknownRevisionError."""
    tip = mirror.resolve(delivery.after)
    if not delivery.before:
        return [tip]
    try:
        before = mirror.resolve(delivery.before)
    except UnknownRevisionError:
        return [tip]
    return mirror.commits([tip], [before])[-MAX_COMMITS:]
