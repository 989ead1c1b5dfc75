"""Run one commit's pipeline in the foreground, in this process, on the installation's Dagster instance.

Deliberately absent: the daemon; sensors start the same job through it.
"""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository

from infraaudit_assets.assets import commits_of
from infraaudit_assets.domain.errors import DiskFullError
from infraaudit_assets.domain.projects import Project
from infraaudit_assets.jobs import pipeline_name
from infraaudit_assets.settings import Settings
from sensors.commits import run_key, sensor_name

_ROOM_TO_START = 50_000_000
"""Bytes; what a first run writes besides the mirror of a small repository is a tenth of it."""
_ROOM_TO_WRITE = 1_000_000
_SECONDS_TO_STOP = 15


@dataclass(frozen=True, slots=True)
class FinishedRun:
    run_id: str
    succeeded: bool
    failed_steps: tuple[str, ...]


def prepare_dagster_home(current: Settings) -> Path:
    """Make Dagster's home under the state folder, with our dagster.yaml, and point this process to it.

    A home that the settings name is left as it is.
    """
    home = current.dagster_home or current.state / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(current.shipped / "dagster" / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


@contextmanager
def dagster_instance(current: Settings) -> Iterator[dg.DagsterInstance]:
    """The installation's Dagster instance. Raises DiskFullError, also where Dagster or SQLite ran out of room."""
    _require_room(current.state, _ROOM_TO_START)
    prepare_dagster_home(current)
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    except Exception as error:
        _require_room(current.state, _ROOM_TO_WRITE, error)
        raise


def _require_room(state: Path, bytes_free: int, cause: Exception | None = None) -> None:
    state.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(state).free
    if free < bytes_free:
        raise DiskFullError(
            f"The disk of {state} is full: {free / 1e6:.1f} MB are free. Free {_ROOM_TO_START / 1e6:.0f} MB there, or "
            "set INFRAAUDIT_HOME to another disk; then run the commit again."
        ) from cause


def run_commit(instance: dg.DagsterInstance, project: Project, sha: str) -> FinishedRun:
    """Materialize every asset of one commit and wait until that has ended.

    The run carries the Git sensor's key, so that the sensor does not start one more for this commit.
    """
    instance.add_dynamic_partitions(commits_of(project).name or "", [sha])
    repository = ReconstructableRepository.for_module("infraaudit_assets.definitions", "defs")
    with (
        ended_by_interrupts(),
        dg.execute_job(
            repository.get_reconstructable_job(pipeline_name(project)),
            instance=instance,
            tags={
                "dagster/partition": sha,
                "dagster/run_key": run_key(project, sha),
                "dagster/sensor_name": sensor_name(project),
                "infraaudit/commit": sha,
            },
            raise_on_error=False,
        ) as result,
    ):
        if any(_was_interrupted(event) for event in result.all_events):
            # Dagster takes an interrupt for one more way to fail; we were asked to stop.
            raise KeyboardInterrupt
        failed = tuple(event.step_key or "" for event in result.all_events if event.is_step_failure)
        return FinishedRun(result.run_id, result.success, failed)


def _was_interrupted(event: dg.DagsterEvent) -> bool:
    error = event.job_failure_data.error if event.event_type is dg.DagsterEventType.RUN_FAILURE else None
    return error is not None and error.cls_name == "DagsterExecutionInterruptedError"


@contextmanager
def ended_by_interrupts() -> Iterator[None]:
    """End this process with 130 where an interrupt has not ended the block within 15 seconds.

    Dagster tells its steps to stop through a lock that they share. A terminal interrupts the steps, too, and one that
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


@contextmanager
def steps_write_to(log: Path) -> Iterator[None]:
    """Send what the steps print, in this process and its children, to the end of a file instead of the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with log.open("ab") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, original in zip((1, 2), kept, strict=True):
            os.dup2(original, number)
            os.close(original)
