"""Run one commit's pipeline in the foreground, in this process, on the installation's Dagster instance.

Deliberately absent: the daemon; sensors start the same job through it.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from infraaudit_assets.dagster_home import ROOM_TO_WRITE, prepare_dagster_home, require_room
from infraaudit_assets.settings import Settings
from infraaudit_domain.dagster_names import (
    PARTITION,
    RUN_KEY,
    SENSOR_NAME,
    pipeline_name,
    run_key,
    run_tags,
    sensor_name,
)
from infraaudit_domain.projects import Project
from resources.dagster.jobs import reconstructable_job
from resources.dagster.partitions import commits_of

_SECONDS_TO_STOP = 15


@dataclass(frozen=True, slots=True)
class FinishedRun:
    run_id: str
    succeeded: bool


@contextmanager
def dagster_instance(current: Settings) -> Iterator[dg.DagsterInstance]:
    """The installation's Dagster instance. Raises DiskFullError, also where Dagster or SQLite ran out of room."""
    prepare_dagster_home(current)
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    except Exception as error:
        require_room(current.state.path, ROOM_TO_WRITE, error)
        raise


def run_commit(instance: dg.DagsterInstance, project: Project, sha: str) -> FinishedRun:
    """Materialize every asset of one commit and wait until that has ended.

    The run carries the Git sensor's key, so that the sensor does not start one more for this commit.
    """
    instance.add_dynamic_partitions(commits_of(project).name or "", [sha])
    job = reconstructable_job("infraaudit_assets.definitions", "defs", pipeline_name(project))
    with (
        ended_by_interrupts(),
        dg.execute_job(
            job,
            instance=instance,
            tags={
                PARTITION: sha,
                RUN_KEY: run_key(project, sha),
                SENSOR_NAME: sensor_name(project),
                **run_tags(sha),
            },
            raise_on_error=False,
        ) as result,
    ):
        if any(_was_interrupted(event) for event in result.all_events):
            # Dagster takes an interrupt for one more way to fail; we were asked to stop.
            raise KeyboardInterrupt
        return FinishedRun(result.run_id, result.success)


def _was_interrupted(event: dg.DagsterEvent) -> bool:
    error = event.job_failure_data.error if event.event_type is dg.DagsterEventType.RUN_FAILURE else None
    return error is not None and error.cls_name == "DagsterExecutionInterruptedError"


@contextmanager
def ended_by_interrupts() -> Iterator[None]:
    """End this process with 130 where an interrupt has not ended the block within 15 seconds.

    Dagster stops its steps through a lock that they share. A terminal interrupts the steps, too, and one that
    dies while it holds that lock leaves Dagster waiting for ever.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    ended = threading.Event()

    def watch() -> None:
        while signals := os.read(reader, 64):
            if signal.SIGINT in signals and not ended.wait(_SECONDS_TO_STOP):
                os._exit(130)
        os.close(reader)

    threading.Thread(target=watch, daemon=True, name="interrupts").start()
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(before)
        os.close(writer)
