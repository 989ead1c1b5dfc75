"""A pipeline of three assets whose second one fails, by our executor."""

import dagster as dg

from resources.dagster.executor import forked_executor

COMMITS = dg.DynamicPartitionsDefinition(name="commits")


@dg.asset(partitions_def=COMMITS)
def first() -> None: ...


@dg.asset(partitions_def=COMMITS, deps=[first])
def second() -> None:
    raise dg.Failure("the gate stops it", allow_retries=False)


@dg.asset(partitions_def=COMMITS, deps=[second])
def third() -> None: ...


defs = dg.Definitions(
    assets=[first, second, third],
    jobs=[dg.define_asset_job("chain", selection="*", executor_def=forked_executor)],
)
