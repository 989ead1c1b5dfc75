"""Run one commit's pipeline in the foreground, in this process, on the installation's Dagster instance.

Deliberately absent: the daemon; sensors start the same job through it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository

from infraaudit_assets.assets import commits_of
from infraaudit_assets.domain.projects import Project
from infraaudit_assets.jobs import pipeline_name
from infraaudit_assets.settings import Settings
from sensors.commits import run_key, sensor_name


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
    """The installation's Dagster instance."""
    prepare_dagster_home(current)
    with dg.DagsterInstance.get() as instance:
        yield instance


def run_commit(instance: dg.DagsterInstance, project: Project, sha: str) -> FinishedRun:
    """Materialize every asset of one commit and wait until that has ended.

    The run carries the Git sensor's key, so that the sensor does not start one more for this commit.
    """
    instance.add_dynamic_partitions(commits_of(project).name or "", [sha])
    repository = ReconstructableRepository.for_module("infraaudit_assets.definitions", "defs")
    with dg.execute_job(
        repository.get_reconstructable_job(pipeline_name(project)),
        instance=instance,
        tags={
            "dagster/partition": sha,
            "dagster/run_key": run_key(project, sha),
            "dagster/sensor_name": sensor_name(project),
            "infraaudit/commit": sha,
        },
        raise_on_error=False,
    ) as result:
        failed = tuple(event.step_key or "" for event in result.all_events if event.is_step_failure)
        return FinishedRun(result.run_id, result.success, failed)


@contextmanager
def quiet_steps(log: Path, quiet: bool) -> Iterator[None]:
    """Send what the steps print, in this process and its children, to a file instead of the terminal."""
    if not quiet:
        yield
        return
    import sys

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
