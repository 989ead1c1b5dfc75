"""Runs that did not come to an end of their own: those of a terminal that was killed, and those that never began.

Dagster starts a lost run once more by itself, but not one that no code location started. Deliberately absent: putting
runs that never began back into the queue (run_queue.py).
"""

import time
from pathlib import Path

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter

from infraaudit_domain.dagster_names import RUN_KEY, SENSOR_NAME
from resources.dagster import workers
from resources.dagster.run_queue import can_be_requeued

_AGAIN = "again"
_SEEN_SECONDS = 30.0


def lost_in_terminals(instance: DagsterInstance, sensor: str) -> dict[str, DagsterRun]:
    """Failed runs of a sensor's keys that a terminal started and whose process was killed, by the run key to run again by.

    Each until a run of that key is there, or somebody has run the commit again. Where none was killed, nothing is asked.
    """
    lost, home = dict[str, DagsterRun](), Path(instance.root_directory)
    for run_id in workers.gone(home):
        record = instance.get_run_record_by_id(run_id)
        run = record.dagster_run if record else None
        if record is None or run is None:
            workers.forget(home, run_id)
        elif run.remote_job_origin is not None or RUN_KEY not in run.tags:
            # Dagster starts it again; whoever waits for what it held has seen by then that it is gone.
            if record.end_time and time.time() - record.end_time > _SEEN_SECONDS:
                workers.forget(home, run_id)
        elif run.tags.get(SENSOR_NAME) == sensor:
            key = f"{run.tags[RUN_KEY]}:{_AGAIN}:{run_id[:8]}"
            if run.status is DagsterRunStatus.FAILURE and not _has_run_since(instance, run, key):
                lost[key] = run
            elif run.is_finished:
                workers.forget(home, run_id)
    return lost


def _has_run_since(instance: DagsterInstance, run: DagsterRun, key: str) -> bool:
    newest = instance.get_runs(RunsFilter(tags={RUN_KEY: run.tags[RUN_KEY]}), limit=1)
    again = instance.get_runs(RunsFilter(tags={RUN_KEY: key}), limit=1)
    return bool(again) or any(other.run_id != run.run_id for other in newest)


def begins_again(instance: DagsterInstance, record: RunRecord) -> bool:
    """Whether a failed run never began and is started again by itself: that is no failure yet."""
    run = record.dagster_run
    if record.start_time is not None or SENSOR_NAME not in run.tags:
        return False
    return "dagster/auto_retry_run_id" in run.tags or can_be_requeued(instance, run)


def why_it_failed(instance: DagsterInstance, run_id: str) -> str:
    """What Dagster says of the end of a failed run; empty where it says nothing."""
    events = instance.all_logs(run_id, of_type=DagsterEventType.RUN_FAILURE)
    said = (event.dagster_event.message for event in events[-1:] if event.dagster_event)
    return next(filter(None, said), "") or ""
