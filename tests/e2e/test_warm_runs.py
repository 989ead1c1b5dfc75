"""Runs on the warm path: the daemon's are forks of one parent, and a foreground one sees today's projects."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from resources.machine.process import dying_with_us
from tests import ROOT
from tests.conftest import Repository
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
BIN = Path(sys.executable).parent
TERRAFORM = {"main.tf": 'resource "aws_s3_bucket" "b" {\n  bucket = "b"\n}\n'}


def _environment(home: Path, projects: Path) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("INFRAAUDIT_", "DAGSTER"))}
    return given | {
        "PYTHONPATH": str(ROOT),
        "DAGSTER_HOME": str(home / "dagster"),
        "INFRAAUDIT_HOME": str(home),
        "INFRAAUDIT_REPORTS": str(home / "reports"),
        "INFRAAUDIT_PROJECTS": str(projects),
        "INFRAAUDIT_POLL_SECONDS": "1",
        "INFRAAUDIT_ENGINE": "none",
        "INFRAAUDIT_TARGET": "none",
        "INFRAAUDIT_BUILD_ISOLATION": "none",
        "INFRAAUDIT_WARM_MINUTES": "1",
    }


def test_runs_of_the_daemon_are_forks_of_one_parent_whose_death_costs_none(
    repository: Repository, tmp_path: Path
) -> None:
    home, projects = tmp_path / "home", tmp_path / "projects.yaml"
    repository.write({"a": "1"}, "first")
    projects.write_text(json.dumps({"projects": [{"name": "one", "url": str(repository.path)}]}))
    (home / "dagster").mkdir(parents=True)
    config = yaml.safe_load((ROOT / "configs/dagster/dagster.yaml").read_text())
    config["run_launcher"]["config"] = {"idle_minutes": 0.5}
    (home / "dagster/dagster.yaml").write_text(yaml.safe_dump(config))
    dg.DagsterInstance.from_config(str(home / "dagster")).dispose()
    environment = _environment(home, projects)
    command = dying_with_us([str(BIN / "dagster-daemon"), "run", "-m", "tests.e2e.small_project"], environment)
    with (home / "log").open("wb") as log, dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        daemon = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT)
        try:
            eventually(lambda: _succeeded(instance) == 1, 120, "the first commit's run ended")
            (listening,) = (home / "dagster/warm").glob("*.socket")
            for parent in _listening(home / "dagster/warm"):
                os.kill(parent, signal.SIGKILL)
            repository.write({"a": "2"}, "second")
            repository.write({"a": "3"}, "third")
            eventually(lambda: _succeeded(instance) == 3, 120, "the others' runs ended")
            forked = [
                event.dagster_event.message
                for run in instance.get_runs()
                for event in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
                if event.dagster_event and "warm parent" in (event.dagster_event.message or "")
            ]
            assert len(forked) == 3 and len(instance.get_runs()) == 3
            assert listening.exists()
            eventually(lambda: not list((home / "dagster/workers").iterdir()), 30, "the processes of the runs ended")
        finally:
            daemon.send_signal(signal.SIGINT)
            daemon.wait(60)


def _succeeded(instance: dg.DagsterInstance) -> int:
    return sum(run.status is dg.DagsterRunStatus.SUCCESS for run in instance.get_runs())


def _listening(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_foreground_run_sees_projects_that_changed(repository: Repository, tmp_path: Path) -> None:
    projects = tmp_path / "projects.yaml"
    repository.write(TERRAFORM, "first")
    for name in ("one", "two"):
        projects.write_text(json.dumps({"projects": [{"name": name, "url": str(repository.path)}]}))
        done = subprocess.run(
            [BIN / "infraaudit", "run", "--project", name, "--commit", "main", "--json"],
            env=_environment(tmp_path / "home", projects), capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["findings"]["total"] > 0
    assert len(_listening(tmp_path / "home/dagster/warm")) == 1, "the one that knew the old project ended"
