"""The run queue accepts one run per key, however many processes request it at once and whichever of them die."""

import multiprocessing
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.events import DagsterEvent
from sqlalchemy import make_url

from resources.dagster import run_queue
from resources.dagster.run_queue import KeyedRunQueue, cancel_queued, requeue_unlaunched, submit_forgotten
from tests import ROOT
from tests.resources.databases import DATABASES, fresh_database
from tests.sensors.racing import create, race

SHIPPED = ROOT / "configs/dagster/dagster.yaml"
FRESH = multiprocessing.get_context("forkserver")
# Processes that share only their imports with this one, because importing takes longer than their work.
FRESH.set_forkserver_preload(["tests.sensors.racing"])
STEPS = ("look", "create", "submit", "never")


@pytest.fixture(params=DATABASES)
def home(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Path:
    config = yaml.safe_load(SHIPPED.read_text())
    if request.param == "postgresql":
        needs("postgresql")
        url = make_url(fresh_database(request))
        config["storage"] = {"postgres": {"postgres_url": url.render_as_string(hide_password=False)}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as made:
        yield made


@pytest.mark.slow
def test_of_many_who_ask_at_once_one_run_is_taken(home: Path, instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.run_coordinator, KeyedRunQueue)
    chance = random.Random(7)
    keys = [f"shop:{number}" for number in range(20)]
    start = FRESH.Barrier(4)
    racers = []
    for index in range(4):
        # One of the four survives; the others die at a random key, after a random step.
        last = len(keys) if index == 0 else chance.randrange(len(keys))
        starts = [(key, "never" if number != last else chance.choice(STEPS[:3])) for number, key in enumerate(keys)]
        racers.append(FRESH.Process(target=race, args=(home, start, starts)))
        racers[-1].start()
    for racer in racers:
        racer.join()
    assert [racer.exitcode for racer in racers] == [0, -9, -9, -9]
    submit_forgotten(instance, "commits")
    runs = instance.get_runs()
    assert Counter(run.tags["dagster/run_key"] for run in runs) == dict.fromkeys(keys, 1)
    assert {run.status for run in runs} == {dg.DagsterRunStatus.QUEUED}


def test_a_run_whose_creator_died_is_taken_by_the_next_look(instance: dg.DagsterInstance) -> None:
    run = create(instance, "shop:1")
    assert submit_forgotten(instance, "another") == 0
    assert submit_forgotten(instance, "commits") == 1
    assert [(found.run_id, found.status.value) for found in instance.get_runs()] == [(run.run_id, "QUEUED")]
    assert submit_forgotten(instance, "commits") == 0


def test_a_run_that_began_keeps_its_key_and_a_re_execution_is_no_rival(instance: dg.DagsterInstance) -> None:
    first = create(instance, "shop:1")
    submit_forgotten(instance, "commits")
    instance.report_run_canceled(first)
    create(instance, "shop:1")
    again = create(instance, "shop:1", **{"dagster/parent_run_id": first.run_id, "dagster/root_run_id": first.run_id})
    other = create(instance, "shop:2")
    submit_forgotten(instance, "commits")
    states = {run.run_id: run.status.value for run in instance.get_runs()}
    assert states == {first.run_id: "CANCELED", again.run_id: "QUEUED", other.run_id: "QUEUED"}


def test_a_rival_that_goes_leaves_no_file_of_events(home: Path, instance: dg.DagsterInstance) -> None:
    runs = [create(instance, "shop:1") for _ in range(3)]
    for run in runs:
        instance.report_engine_event("requested", run)
    submit_forgotten(instance, "commits")
    assert [run.run_id for run in instance.get_runs()] == [runs[0].run_id]
    files = {file.stem for file in (home / "history/runs").glob("*-*.db")}
    assert files in ({runs[0].run_id}, set()), "PostgreSQL has none"


def test_only_a_queued_run_is_cancelled(instance: dg.DagsterInstance) -> None:
    run = create(instance, "shop:1")
    assert not cancel_queued(instance, run, "superseded")
    submit_forgotten(instance, "commits")
    assert cancel_queued(instance, run, "superseded by a newer commit")
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.CANCELED  # type: ignore[union-attr]
    assert not cancel_queued(instance, run, "again")


def test_a_failed_run_that_never_began_goes_back_into_the_queue(instance: dg.DagsterInstance) -> None:
    lost, begun, retried = (create(instance, f"shop:{number}") for number in range(3))
    submit_forgotten(instance, "commits")
    instance.report_dagster_event(DagsterEvent("PIPELINE_START", begun.job_name), begun.run_id)
    for run in (lost, begun, retried):
        instance.report_run_failed(run)
        # The tags that Dagster gives to a run that it retries, and to one that it could not.
        instance.add_run_tags(run.run_id, {"dagster/will_retry": str(run is retried).lower()})
    assert requeue_unlaunched(instance, "another") == 0
    assert requeue_unlaunched(instance, "commits") == 1
    assert requeue_unlaunched(instance, "commits") == 0
    states = {run.run_id: run.status.value for run in instance.get_runs()}
    assert states == {lost.run_id: "QUEUED", begun.run_id: "FAILURE", retried.run_id: "FAILURE"}


def test_a_tick_reads_no_failed_run_twice_and_misses_none(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, usual = [], instance.get_run_records

    def get_run_records(*args: Any, **kwargs: Any) -> Any:
        found = usual(*args, **kwargs)
        read.append(len(found))
        return found

    monkeypatch.setattr(instance, "get_run_records", get_run_records)
    monkeypatch.setattr(run_queue, "_TOO_YOUNG", timedelta(0))
    for number in range(30):
        instance.report_run_failed(create(instance, f"old:{number}", **{"dagster/will_retry": "true"}))
    assert requeue_unlaunched(instance, "commits") == 0, "they are too young yet, and wait for Dagster's own retry"
    late = create(instance, "late")
    instance.report_run_failed(late)
    instance.add_run_tags(late.run_id, {"dagster/will_retry": "false"})
    assert requeue_unlaunched(instance, "commits") == 1
    assert requeue_unlaunched(instance, "commits") == 0
    assert read == [30, 1, 0]
