"""What a run never began is not shown as failed."""

import dagster as dg
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from resources.dagster.jobs import reconstructable_job
from tests.resources.dagster.stopped_chain import COMMITS
from tests.resources.dagster.test_pools import instance as instance


def failed(instance: dg.DagsterInstance, name: str) -> set[str]:
    found = get_and_update_asset_status_cache_value(instance, dg.AssetKey(name), COMMITS, instance)
    assert found is not None
    return set(found.deserialize_failed_partition_subsets(COMMITS).get_partition_keys())


def skipped(instance: dg.DagsterInstance, name: str) -> list[object]:
    """Why an asset is said to have been skipped."""
    records = instance.fetch_observations(dg.AssetKey(name), limit=9).records
    found = [record.asset_observation for record in records]
    return [observation.metadata["skipped"].value for observation in found if observation]


def run(instance: dg.DagsterInstance, name: str, again: str | None = None) -> dg.DagsterRun:
    """Run a job for a commit, or what failed in an earlier run of it once more."""
    job = reconstructable_job("tests.resources.dagster.stopped_chain", "defs", name)
    options = dg.ReexecutionOptions.from_failure(again, instance) if again else None
    tags = {"dagster/partition": "a1"}
    dg.execute_job(job, instance=instance, tags=tags, raise_on_error=False, reexecution_options=options)
    return instance.get_runs(limit=1)[0]


def test_a_stage_after_the_one_that_stopped_a_commit_is_skipped(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("commits", ["a1"])
    done = run(instance, "chain")
    assert (failed(instance, "first"), failed(instance, "second")) == (set(), {"a1"})
    assert failed(instance, "third") == set()
    assert skipped(instance, "third") == ["second: the gate stops it"]
    assert skipped(instance, "second") == []
    assert instance.get_materialized_partitions(dg.AssetKey("first")) == {"a1"}
    assert instance.get_materialized_partitions(dg.AssetKey("third")) == set()
    run(instance, "chain", again=done.run_id)
    assert skipped(instance, "first") == [], "it stands, and was not to run again"
    assert skipped(instance, "third") == ["second: the gate stops it"] * 2


def test_a_stage_after_one_without_a_result_was_not_left_out_by_the_end_of_the_run(
    instance: dg.DagsterInstance,
) -> None:
    instance.add_dynamic_partitions("commits", ["a1"])
    run(instance, "without_output")
    assert skipped(instance, "after_nothing") == ["a stage before it was skipped"]


def test_a_stage_whose_process_dies_before_it_starts_has_failed(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("commits", ["a1"])
    run(instance, "dying")
    assert skipped(instance, "dead") == []
    assert failed(instance, "dead") == {"a1"}
