"""Steps run in forks of their run's process, and go on with what it has opened."""

import os
from typing import Any

import dagster as dg
import pytest
import sqlalchemy
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from sqlalchemy.pool import QueuePool

from resources.dagster.executor import forked_executor
from resources.dagster.jobs import reconstructable_job
from resources.dagster.sqlite_engines import keep_engines
from tests.resources.dagster.test_pools import instance as instance

opened: list[str] = []


@dg.asset
def process() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"pid": os.getpid(), "parent": os.getppid(), "opened": len(opened)})


@dg.asset(deps=[process])
def following(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    context.log.info("said by a step")
    before = context.instance.get_latest_materialization_event(dg.AssetKey("process"))
    return dg.MaterializeResult(metadata={"pid": os.getpid(), "sees": before is not None})


defs = dg.Definitions(
    assets=[process, following],
    jobs=[dg.define_asset_job("two", selection="*", executor_def=forked_executor)],
)


def test_steps_are_forks_that_open_no_instance_of_their_own(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = dg.DagsterInstance.from_ref

    def from_ref(ref: Any) -> dg.DagsterInstance:
        opened.append("again")
        return original(ref)

    monkeypatch.setattr(dg.DagsterInstance, "from_ref", staticmethod(from_ref))
    job = reconstructable_job("tests.resources.dagster.test_executor", "defs", "two")
    with dg.execute_job(job, instance=instance) as result:
        assert result.success
        run_id = result.run_id
    first, second = (_metadata(instance, name) for name in ("process", "following"))
    assert first["parent"] == os.getpid() != first["pid"] != second["pid"]
    assert (first["opened"], second["sees"]) == (0, True)
    messages = [entry.user_message for entry in instance.all_logs(run_id)]
    assert "said by a step" in messages, "what a step logs is kept"
    assert instance.get_run_by_id(run_id).is_success  # type: ignore[union-attr]


def _metadata(instance: dg.DagsterInstance, asset: str) -> dict[str, object]:
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event and event.asset_materialization
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_an_engine_is_kept_for_each_file_and_has_no_pool(tmp_path_factory: pytest.TempPathFactory) -> None:
    keep_engines()
    url = f"sqlite:///{tmp_path_factory.mktemp('storage')}/x.db"
    create = vars(sqlite_event_log)["create_engine"]
    engine = create(url, poolclass=sqlalchemy.NullPool, connect_args={"timeout": 3})
    assert create(url, poolclass=sqlalchemy.NullPool, connect_args={"timeout": 3}) is engine
    assert create(url, poolclass=sqlalchemy.NullPool) is not engine
    assert isinstance(engine.pool, sqlalchemy.NullPool)
    with pytest.raises(AssertionError, match="forks"):
        create(url, poolclass=QueuePool)
