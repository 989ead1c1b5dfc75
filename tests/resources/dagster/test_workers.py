"""Who works on a run, also when that process was killed, and what run monitoring reports of it."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher.base import WorkerStatus

from resources.dagster import warm_runs, workers
from resources.dagster.warm_runs import WarmRuns
from resources.dagster.workers import (
    LAUNCHED,
    Worker,
    forget,
    gone,
    interrupt,
    is_launched,
    kill_launched,
    launched,
    state_of,
    working_on,
)
from tests import ROOT

WORK = """
import os, signal, sys, time
from pathlib import Path
from resources.dagster import executor
from resources.dagster.workers import working_on
with working_on(Path(sys.argv[1]), "run", sys.argv[2]):
    executor._tie_forks_to_this_process(None)  # Its step uses no instance.
    step = os.fork()
    if step == 0:
        time.sleep(600)
    print(step, flush=True)
    os.waitpid(step, 0)
"""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def worker(home: Path, how: str = LAUNCHED) -> "tuple[subprocess.Popen[str], int]":
    """A process that works on the run ``run``, and a step that it forked."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", WORK, str(home), how]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    with process.stdout as said:
        return process, int(said.readline())


def test_a_killed_worker_is_gone_with_its_steps_and_the_run_is_reported_as_failed(instance: dg.DagsterInstance) -> None:
    home, run = Path(instance.root_directory), dg.DagsterRun("job", run_id="run")
    launcher = WarmRuns()
    launcher.register_instance(instance)
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING, "another machine's, perhaps"
    process, step = worker(home)
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    process.kill()
    process.wait()
    _wait_for_end(step)
    assert state_of(home, "run") is Worker.GONE
    assert launcher.check_run_worker_health(run).status is WorkerStatus.FAILED
    assert not interrupt(home, "run")


def test_a_worker_can_be_interrupted_and_one_in_a_terminal_is_not_killed_with_the_launched(tmp_path: Path) -> None:
    foreground, _ = worker(tmp_path, "foreground")
    kill_launched(tmp_path)
    assert foreground.poll() is None and interrupt(tmp_path, "run")
    assert foreground.wait(10) != 0
    launched, step = worker(tmp_path)
    kill_launched(tmp_path)
    assert launched.wait(10) == -signal.SIGKILL
    _wait_for_end(step)


def test_a_worker_that_ended_leaves_nothing(tmp_path: Path) -> None:
    home = tmp_path / "not/made/yet"  # as in the Job of a run
    with working_on(home, "run"), working_on(home, "run"):
        assert state_of(home, "run") is Worker.ALIVE
    assert state_of(home, "run") is Worker.UNKNOWN and not list((home / "workers").iterdir())


def test_what_another_machine_or_container_left_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    file = tmp_path / "workers" / "run"
    file.write_text(f"{os.getpid()} launched another-boot:pid:[1]")
    assert state_of(tmp_path, "run") is Worker.UNKNOWN and not interrupt(tmp_path, "run")
    forget(tmp_path, "run")
    assert not file.exists()


def test_after_a_restart_of_this_machine_every_process_of_before_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "workers").mkdir()
    file = tmp_path / "workers" / "run"
    for name, state in (("this", Worker.GONE), ("that", Worker.UNKNOWN), ("", Worker.UNKNOWN)):
        monkeypatch.setattr(workers, "_machine", lambda: "this")
        file.write_text(f"{os.getpid()} launched another-boot:pid:[1] {name}")
        assert state_of(tmp_path, "run") is state
        assert gone(tmp_path) == (["run"] if state is Worker.GONE else [])
    monkeypatch.setattr(workers, "_machine", lambda: "")
    assert state_of(tmp_path, "run") is Worker.UNKNOWN, "a container has no name for its machine"


def test_a_terminals_run_that_was_killed_before_it_took_the_run_is_noticed(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = WarmRuns()
    launcher.register_instance(instance)
    run = dg.DagsterRun("job", run_id="run", tags={"dagster/run_key": "shop:1"})
    other = dg.DagsterRun("job", run_id="other")
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING, "at its end it has none for a moment"
    monkeypatch.setattr(warm_runs, "_PATIENCE_SECONDS", 0.0)
    assert launcher.check_run_worker_health(run).status is WorkerStatus.FAILED
    assert launcher.check_run_worker_health(other).status is WorkerStatus.RUNNING, "nobody knows whose that is"


def test_patience_begins_again_when_a_run_has_had_a_process(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_runs, "_PATIENCE_SECONDS", 0.05)
    launcher = WarmRuns()
    launcher.register_instance(instance)
    run, states = dg.DagsterRun("job", run_id="run", tags={"dagster/run_key": "shop:1"}), []
    states.append(launcher.check_run_worker_health(run).status)
    with working_on(Path(instance.root_directory), "run"):
        time.sleep(0.06)
        states.append(launcher.check_run_worker_health(run).status)
    states.append(launcher.check_run_worker_health(run).status)
    assert states == [WorkerStatus.RUNNING] * 3, "it has just ended"


def test_a_second_worker_of_a_run_takes_nothing_away_from_the_first(tmp_path: Path) -> None:
    process, step = worker(tmp_path)
    with working_on(tmp_path, "run"):
        assert is_launched(tmp_path, "run")
    forget(tmp_path, "run")
    assert launched(tmp_path) == ["run"]
    process.kill()
    process.wait()
    _wait_for_end(step)
    assert launched(tmp_path) == [] and state_of(tmp_path, "run") is Worker.GONE


def test_a_retry_that_kept_the_tag_of_a_code_server_is_interrupted(instance: dg.DagsterInstance) -> None:
    launcher = WarmRuns()
    launcher.register_instance(instance)
    run = dg.DagsterRun("job", run_id="run", status=dg.DagsterRunStatus.STARTED, tags={".dagster/grpc_info": "{}"})
    instance.add_run(run)
    process, step = worker(Path(instance.root_directory))
    assert launcher.terminate("run") and process.wait(10) != 0
    _wait_for_end(step)


def _wait_for_end(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], 10)[0], "the step outlived its run"
    os.close(descriptor)
