"""Dagster's home: a newer InfraAudit brings its dagster.yaml up to date, and keeps one that somebody edited."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infraaudit_assets.dagster_home import instance_file, prepare_dagster_home
from infraaudit_assets.settings import Settings

FIRST_TEXT = """\
# Dagster's instance on one machine: `infraaudit` copies this into its Dagster home.
telemetry: {enabled: false}
run_queue:
  dequeue_interval_seconds: 1
  dequeue_use_threads: true
  dequeue_num_workers: 4
  max_user_code_failure_retries: 5
  user_code_failure_retry_delay: 10
concurrency:
  runs: {max_concurrent_runs: 2}
  pools: {granularity: op, default_limit: 1}
sensors: {use_threads: true, num_workers: 4}
run_monitoring:
  enabled: true
  poll_interval_seconds: 5
  start_timeout_seconds: 60
  cancel_timeout_seconds: 30
  # A run whose worker and code server both died would stay STARTED for ever.
  max_runtime_seconds: 3600
  free_slots_after_run_end_seconds: 10
run_retries: {enabled: true, max_retries: 0, retry_on_asset_or_op_failure: false}
"""
"""What the first version wrote, without the queue that takes one run for each commit."""


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "")
    (tmp_path / "configs" / "dagster").mkdir(parents=True)
    monkeypatch.setenv("INFRAAUDIT_HOME", str(tmp_path / "home"))
    return Settings()


def _release(installation: Settings, text: str) -> Settings:
    """This installation under a version whose dagster.yaml has this text."""
    configs = installation.state.path.parent / "configs"
    (configs / "dagster" / "dagster.yaml").write_text(text)
    return installation.model_copy(update={"configs": configs})


def _started(installation: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """The home's dagster.yaml after a command of its own has prepared it."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    return (prepare_dagster_home(installation) / "dagster.yaml").read_text()


def test_the_home_of_the_first_version_gets_the_queue_of_todays(installation: Settings) -> None:
    from infraaudit_assets.runs import dagster_instance
    from resources.dagster.run_queue import KeyedRunQueue

    instance_file(installation).parent.mkdir(parents=True)
    instance_file(installation).write_text(FIRST_TEXT)
    with dagster_instance(installation) as instance:
        assert isinstance(instance.run_coordinator, KeyedRunQueue)


def test_what_nobody_edited_follows_every_version(
    installation: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for text in ("telemetry: {enabled: false}\n", "telemetry: {enabled: true}\n", "telemetry: {enabled: false}\n"):
        first_line, _, rest = _started(_release(installation, text), monkeypatch).partition("\n")
        assert first_line.startswith("# ") and rest == text
    assert capfd.readouterr().err == ""


def test_what_was_edited_stays_and_is_reported_when_ours_is_newer(
    installation: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    old = _release(installation, "telemetry: {enabled: false}\n")
    edited = _started(old, monkeypatch) + "sensors: {use_threads: true}\n"
    instance_file(installation).write_text(edited)
    assert _started(old, monkeypatch) == edited and capfd.readouterr().err == "", "it lacks nothing yet"

    new = _release(installation, "telemetry: {enabled: false}\nschedules: {use_threads: true}\n")
    assert _started(new, monkeypatch) == edited
    (warning,) = capfd.readouterr().err.splitlines()
    assert f"{instance_file(installation)} was edited" in warning and "Move it away" in warning

    instance_file(installation).rename(installation.state.path / "mine.yaml")
    assert "schedules" in _started(new, monkeypatch) and capfd.readouterr().err == "", "as we set them to"


def test_a_home_that_the_settings_name_keeps_its_own_file(
    installation: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    prepare_dagster_home(installation.model_copy(update={"dagster_home": tmp_path / "own"}))
    assert (tmp_path / "own" / "dagster.yaml").read_text() == "telemetry: {enabled: true}\n"
    assert capfd.readouterr().err == ""


def test_the_doctor_reports_an_edited_file_that_is_behind(installation: Settings) -> None:
    def row() -> dict[str, object]:
        command = [Path(sys.executable).with_name("infraaudit"), "doctor", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return next(part for part in json.loads(done.stdout) if part["name"] == "newest dagster.yaml")

    assert row()["found"] is True
    instance_file(installation).parent.mkdir(parents=True)
    instance_file(installation).write_text(FIRST_TEXT)
    assert row()["found"] is True, "it is ours, and the next start brings it up to date"
    instance_file(installation).write_text(FIRST_TEXT + "schedules: {use_threads: true}\n")
    behind = row()
    assert behind["found"] is False and f"{instance_file(installation)} was edited" in str(behind["detail"])
