"""A run coordinator that enqueues at most one run per run key.

Two processes start runs: the daemon for the Git sensor, the webserver for the webhook. Each looks for a run of the key,
creates one, then submits it; neither sees what the other is about to do, and either may be killed in between. So the
choice is made here, which every run passes, under a lock that is freed when its holder dies: a run that is beyond "not
started" was chosen before; otherwise the oldest is chosen. The others never began, and are deleted. A run whose creator
died before submitting it is enqueued when its key is submitted next, or at the Git sensor's next tick.

Deliberately absent: which commits get a run. dagster.yaml names this class as its run coordinator.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.run_coordinator.base import SubmitRunContext
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._core.storage.runs import SqlRunStorage

from infraaudit_domain.dagster_names import PARENT_RUN, RUN_KEY, SENSOR_NAME
from resources.dagster.deleted_runs import delete_run
from resources.machine.locks import locked

_LOCK = 0x1AFA_0D17
"""The advisory lock's number in PostgreSQL: arbitrary, but the same everywhere."""


_MOST_TRIES = 20
_PUT_BACK = "It never began, for the reason above, and is put back into the queue."
_TOO_YOUNG = timedelta(minutes=2)
"""How long a failed run is given to Dagster's own retry, twice over."""
_looked_at: dict[tuple[str, str], datetime] = {}
"""When this process last looked for failed runs, by instance and sensor: a tick reads what is new, however many failed."""


class KeyedRunQueue(QueuedRunCoordinator[DagsterInstance]):
    """A QueuedRunCoordinator that enqueues one run for each sensor and run key."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Enqueue a run, or return the one that has its key already. A re-execution is a run of its own."""
        submitted = context.dagster_run
        if RUN_KEY not in submitted.tags or PARENT_RUN in submitted.tags:
            return super().submit_run(context)
        with _alone(self._instance):
            rivals = _runs_of_the_key(self._instance, submitted)
            taken = next((run for run in rivals if run.status is not DagsterRunStatus.NOT_STARTED), rivals[0])
            for run in rivals:
                if run is not taken and run.status is DagsterRunStatus.NOT_STARTED:
                    delete_run(self._instance, run.run_id)
            if taken.status is not DagsterRunStatus.NOT_STARTED:
                return taken
            return super().submit_run(SubmitRunContext(taken, context.workspace))


def submit_forgotten(instance: DagsterInstance, sensor: str) -> int:
    """Submit the runs of a sensor's keys whose creator died before submitting them; returns their number."""
    if not isinstance(instance.run_coordinator, KeyedRunQueue):
        return 0
    waiting = instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.NOT_STARTED]))
    forgotten = [run for run in waiting if run.tags.get(SENSOR_NAME) == sensor]
    for run in forgotten:
        # The queue decides by the run alone; it needs no workspace.
        instance.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))  # type: ignore[arg-type]
    return len(forgotten)


def requeue_unlaunched(instance: DagsterInstance, sensor: str) -> int:
    """Put failed runs of a sensor that never began back into the queue; returns their number.

    A daemon or code server that dies while a run is launched leaves it to be failed by its start time limit. Dagster
    retries such a run within a minute, unless its daemon or the code server is down at that moment too. The same run
    continues; should its first worker start after all, Dagster admits only one of the two.
    """
    now = datetime.now(UTC)
    minute = (now - timedelta(minutes=1)).timestamp()
    failed = instance.get_run_records(
        RunsFilter(statuses=[DagsterRunStatus.FAILURE], updated_after=_unseen_since(instance, sensor, now))
    )
    lost = [
        record.dagster_run
        for record in failed
        if record.start_time is None and _is_given_up(record.dagster_run, (record.end_time or 0) < minute)
    ]
    requeued = 0
    for run in lost:
        if run.tags.get(SENSOR_NAME) == sensor and can_be_requeued(instance, run):
            with _alone(instance):
                again = instance.get_run_by_id(run.run_id)
                if again and again.status is DagsterRunStatus.FAILURE and "dagster/auto_retry_run_id" not in again.tags:
                    # From here on we retry this run, and Dagster does not.
                    instance.add_run_tags(again.run_id, {"dagster/max_retries": "0"})
                    instance.report_engine_event(_PUT_BACK, again)
                    instance.report_dagster_event(DagsterEvent.job_enqueue(again), run_id=again.run_id)
                    requeued += 1
    return requeued


def _unseen_since(instance: DagsterInstance, sensor: str, now: datetime) -> datetime:
    """Since when failed runs have to be looked at: a day, then since the last look and what was too young for it."""
    place = (instance.root_directory, sensor)
    before, _looked_at[place] = _looked_at.get(place), now
    return max(before - _TOO_YOUNG, now - timedelta(days=1)) if before else now - timedelta(days=1)


def _is_given_up(run: DagsterRun, waited: bool) -> bool:
    has_retry = "dagster/auto_retry_run_id" in run.tags
    return not has_retry and (waited or run.tags.get("dagster/will_retry") != "true")


def can_be_requeued(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether a run that never began was not put into the queue too often yet."""
    events = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.PIPELINE_ENQUEUED)
    return len(events.records) < _MOST_TRIES


def cancel_queued(instance: DagsterInstance, run: DagsterRun, reason: str) -> bool:
    """Cancel a run that waits in the queue; a dequeued run is left alone."""
    now = instance.get_run_by_id(run.run_id)
    if now is None or now.status is not DagsterRunStatus.QUEUED:
        return False
    instance.report_run_canceling(now, message=reason)
    instance.report_run_canceled(now, message=reason)
    return True


def _runs_of_the_key(instance: DagsterInstance, submitted: DagsterRun) -> list[DagsterRun]:
    """Every run with the submitted run's key, oldest first, without re-executions."""
    # By the key alone: every run has the sensor's tag, and the join of the two is slow (Dagster does the same).
    runs = instance.get_runs(RunsFilter(tags={RUN_KEY: submitted.tags[RUN_KEY]}), ascending=True)
    sensor = submitted.tags.get(SENSOR_NAME)
    return [r for r in runs if r.tags.get(SENSOR_NAME) == sensor and PARENT_RUN not in r.tags] or [submitted]


@contextmanager
def _alone(instance: DagsterInstance) -> Iterator[None]:
    """One process and thread at a time, on all machines that share the instance's storage."""
    storage = instance.run_storage
    if isinstance(storage, SqlRunStorage):
        with storage.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_lock(:number)"), {"number": _LOCK})
                try:
                    yield
                finally:
                    connection.execute(sa.text("SELECT pg_advisory_unlock(:number)"), {"number": _LOCK})
                return
    with locked(Path(instance.root_directory) / "run_queue.lock"):
        yield
