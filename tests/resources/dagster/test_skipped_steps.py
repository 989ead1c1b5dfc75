"""What a run never began is not shown as failed."""

from pathlib import Path

import dagster as dg
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from resources.dagster.jobs import reconstructable_job
from tests.resources.dagster.stopped_chain import COMMITS
from tests.resources.dagster.test_pools import instance as instance


def failed(instance: dg.DagsterInstance, name: str) -> set[str]:
    found = get_and_update_asset_status_cache_value(instance, dg.AssetKey(name), COMMITS, instance)
    assert found is not None
    return set(found.deserialize_failed_partition_subsets(COMMITS).get_partition_keys())


def test_a_stage_after_the_one_that_stopped_a_commit_is_skipped(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    instance.add_dynamic_partitions("commits", ["a1"])
    job = reconstructable_job("tests.resources.dagster.stopped_chain", "defs", "chain")
    tags = {"dagster/partition": "a1"}
    with dg.execute_job(job, instance=instance, tags=tags, raise_on_error=False) as result:
        assert not result.success
    assert (failed(instance, "first"), failed(instance, "second")) == (set(), {"a1"})
    assert failed(instance, "third") == set()
    records = instance.fetch_observations(dg.AssetKey("third"), limit=1).records
    (observation,) = (record.asset_observation for record in records)
    assert observation and observation.metadata["skipped"].value == "second: the gate stops it"
    assert not instance.fetch_observations(dg.AssetKey("second"), limit=1).records
    assert instance.get_materialized_partitions(dg.AssetKey("first")) == {"a1"}
    assert instance.get_materialized_partitions(dg.AssetKey("third")) == set()
