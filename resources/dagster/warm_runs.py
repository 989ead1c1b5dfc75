"""Dagster's launcher of runs on this machine: a run is a fork of the installation's warm parent, where one can be had.

It is one where Dagster itself started the code server, which then has our environment; a server that somebody else
started executes its runs as DefaultRunLauncher has it, and so does everything where no parent can be started. Unlike
that launcher, this one knows whether a run's process is alive. Deliberately absent: the parent
(resources/machine/warm_parent.py). dagster.yaml names this class as its run launcher.
"""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dagster import DagsterRun, Field, Float
from dagster._cli.api import execute_run_command
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClassData, serialize_value

from infraaudit_domain.dagster_names import RUN_KEY
from resources.dagster import workers
from resources.dagster.warm_imports import warmth

_HEALTH = {
    workers.Worker.ALIVE: WorkerStatus.RUNNING,
    workers.Worker.GONE: WorkerStatus.FAILED,
    # Executed elsewhere, or about to end: max_runtime_seconds bounds it.
    workers.Worker.UNKNOWN: WorkerStatus.RUNNING,
}

_PATIENCE_SECONDS = 15.0


class WarmRuns(DefaultRunLauncher):
    """A DefaultRunLauncher whose runs are forks of a warm parent, kept for ``idle_minutes`` without a run.

    Where these are not configured, they are INFRAAUDIT_WARM_MINUTES, as for every other warm process.
    """

    def __init__(self, idle_minutes: float | None = None, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        own = os.environ.get("INFRAAUDIT_WARM_MINUTES") or "10"
        self._idle_minutes = float(own) if idle_minutes is None else idle_minutes
        self._without_process: dict[str, float] = {}
        """Since when runs of terminals have been seen without a process, by the monotonic clock."""

    @classmethod
    def config_type(cls) -> Any:
        return {"idle_minutes": Field(Float, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> "WarmRuns":
        return cls(config_value.get("idle_minutes"), inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Fork the run from the warm parent, else have the code server start it."""
        workers.forget(self._home, context.dagster_run.run_id)
        if not self._forked(context.dagster_run):
            super().launch_run(context)

    def _forked(self, run: DagsterRun) -> bool:
        origin, pointer = run.remote_job_origin, _pointer_of(run)
        if origin is None or pointer is None or run.job_code_origin is None or self._idle_minutes <= 0:
            return False
        if not isinstance(
            origin.repository_origin.code_location_origin, ManagedGrpcPythonEnvCodeLocationOrigin
        ) or pointer.working_directory not in (None, os.getcwd()):
            return False
        if run.job_code_origin.repository_origin.executable_path not in (None, sys.executable):
            return False
        words = serialize_value(ExecuteRunArgs(run.job_code_origin, run.run_id, self._instance.get_ref()))
        parent = warmth(self._home, pointer.module, self._idle_minutes * 60)
        started = parent.start(f"{__name__}:execute", [str(self._home), run.run_id, words])
        if started:
            with suppress(Exception):  # The run has begun: to fail now would start it twice.
                self._instance.report_engine_event(f"Forked from the warm parent (pid: {started}).", run, cls=WarmRuns)
        return started is not None

    def terminate(self, run_id: str) -> bool:
        """Interrupt the process of a run on this machine, whoever started it."""
        run = self._instance.get_run_by_id(run_id)
        # A retry keeps the tag of a code server that the first try had.
        is_ours = workers.is_launched(self._home, run_id) or (
            workers.is_alive(self._home, run_id) and run is not None and GRPC_INFO_TAG not in run.tags
        )
        if run is None or run.is_finished or not is_ours:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        self._instance.report_run_canceling(run)
        return workers.interrupt(self._home, run_id)

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Failed where a process of this machine took the run and is gone."""
        found = workers.state_of(self._home, run.run_id)
        if found is not workers.Worker.UNKNOWN:
            self._without_process.pop(run.run_id, None)
        elif self._never_took_it(run):
            found = workers.Worker.GONE
        message = "Its process was killed." if found is workers.Worker.GONE else None
        return CheckRunHealthResult(_HEALTH[found], message)

    def _never_took_it(self, run: DagsterRun) -> bool:
        """Whether a run that a terminal started has had no process for a while: that was killed before it took the run.

        At its end a run has none for a moment.
        """
        if run.remote_job_origin is not None or RUN_KEY not in run.tags or workers.is_known(self._home, run.run_id):
            return False
        since = self._without_process.setdefault(run.run_id, time.monotonic())
        return time.monotonic() - since >= _PATIENCE_SECONDS

    @property
    def _home(self) -> Path:
        return Path(self._instance.root_directory)


def execute(home: str, run_id: str, words: str) -> int:
    """What the fork does: `dagster api execute_run`."""
    with workers.working_on(Path(home), run_id, workers.LAUNCHED):
        execute_run_command.callback(words, None)  # type: ignore[misc]
    return 0


def _pointer_of(run: DagsterRun) -> ModuleCodePointer | None:
    pointer = run.job_code_origin.repository_origin.code_pointer if run.job_code_origin else None
    return pointer if isinstance(pointer, ModuleCodePointer) else None
