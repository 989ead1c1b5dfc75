"""A commit whose run in a terminal was killed runs again, once; one that never began is reported with its cause at the end."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent

from resources.dagster import lost_runs, run_queue
from resources.dagster.lost_runs import begins_again, lost_in_terminals, why_it_failed
from resources.dagster.workers import _here
from tests.sensors.racing import create

KEY = "shop:1"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def killed(instance: dg.DagsterInstance, key: str = KEY, **tags: str) -> dg.DagsterRun:
    """A run that a terminal started and whose process is gone, as Dagster's monitoring leaves it."""
    job = dg.JobDefinition(name="pipeline", graph_def=dg.GraphDefinition(name="pipeline"))
    given = {"dagster/run_key": key, "dagster/sensor_name": "commits", "dagster/partition": "1"} | tags
    run = instance.create_run_for_job(job, tags=given)
    instance.report_dagster_event(DagsterEvent("PIPELINE_START", run.job_name), run.run_id)
    left = Path(instance.root_directory) / "workers" / run.run_id
    left.parent.mkdir(exist_ok=True)
    left.write_text(f"1 foreground {_here()}")
    return run


def test_it_runs_again_once_it_is_known_to_be_dead_and_only_once(instance: dg.DagsterInstance) -> None:
    run = killed(instance)
    assert not lost_in_terminals(instance, "commits"), "Dagster has not noticed"
    instance.report_run_failed(run, "Detected run worker status")
    assert not lost_in_terminals(instance, "other")
    (key,) = lost_in_terminals(instance, "commits")
    assert key == f"{KEY}:again:{run.run_id[:8]}"
    assert list(lost_in_terminals(instance, "commits")) == [key], "the tick before may have died"
    create(instance, key)
    assert not lost_in_terminals(instance, "commits")
    assert not list((Path(instance.root_directory) / "workers").iterdir())


def test_it_does_not_where_somebody_ran_the_commit_again(instance: dg.DagsterInstance) -> None:
    instance.report_run_failed(killed(instance))
    create(instance, KEY)
    assert not lost_in_terminals(instance, "commits")


def test_what_a_run_of_the_daemon_left_goes_some_time_after_its_end(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create(instance, KEY)
    left = Path(instance.root_directory) / "workers" / run.run_id
    left.parent.mkdir()
    left.write_text(f"1 launched {_here()}")
    monkeypatch.setattr(lost_runs, "_SEEN_SECONDS", 0.0)
    assert not lost_in_terminals(instance, "other") and left.exists(), "it is under way, for all that is known"
    instance.report_dagster_event(DagsterEvent("PIPELINE_START", run.job_name), run.run_id)
    instance.report_run_failed(run)
    monkeypatch.setattr(lost_runs, "_SEEN_SECONDS", 60.0)
    assert not lost_in_terminals(instance, "other") and left.exists()
    monkeypatch.setattr(lost_runs, "_SEEN_SECONDS", -1.0)
    assert not lost_in_terminals(instance, "other") and not left.exists()


def test_one_that_never_began_is_no_failure_until_it_is_given_up(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "Run timed out due to taking longer than 60 seconds to start."
    waiting, retried, begun = create(instance, "shop:2"), create(instance, "shop:3"), killed(instance, "shop:4")
    for run in (waiting, retried, begun):
        instance.report_run_failed(run, words)
    instance.add_run_tags(retried.run_id, {"dagster/auto_retry_run_id": "x"})
    records = {record.dagster_run.run_id: record for record in instance.get_run_records()}
    again = {run.run_id: begins_again(instance, records[run.run_id]) for run in (waiting, retried, begun)}
    assert again == {waiting.run_id: True, retried.run_id: True, begun.run_id: False}
    assert why_it_failed(instance, waiting.run_id) == words
    monkeypatch.setattr(run_queue, "_MOST_TRIES", 0)
    assert not begins_again(instance, records[waiting.run_id])
