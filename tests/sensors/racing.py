"""A process that does what the daemon and the webserver do: look for a run of a key, create one, submit it.

It may be made to die by SIGKILL after one of these steps. Started by test_run_queue.py, many at once.
"""

import os
import signal
from collections.abc import Iterable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import dagster as dg
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.run_coordinator.base import SubmitRunContext


def create(instance: dg.DagsterInstance, key: str, job: str = "empty", **tags: str) -> dg.DagsterRun:
    """A run of a job that does nothing, not yet submitted."""

    @dg.job(name=job)
    def empty() -> None:
        pass

    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "repository")
    return instance.create_run_for_job(
        empty,
        tags={"dagster/run_key": key, "dagster/sensor_name": "commits"} | tags,
        remote_job_origin=origin.get_job_origin(job),
    )


def race(home: Path, begin: Barrier, starts: Iterable[tuple[str, str]]) -> None:
    """Start a run of each key at the same time as other processes, and die after the step given with it."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        begin.wait()
        for key, die_after in starts:
            start(instance, key, die_after)


def start(instance: dg.DagsterInstance, key: str, die_after: str) -> None:
    def reached(step: str) -> None:
        if step == die_after:
            os.kill(os.getpid(), signal.SIGKILL)

    known = instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": key}))
    reached("look")
    if any(run.status is not dg.DagsterRunStatus.NOT_STARTED for run in known):
        return
    run = create(instance, key)
    reached("create")
    instance.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))
    reached("submit")
