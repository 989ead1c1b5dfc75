"""Pipelines by our executor whose later assets are not begun: one fails, one gives no output, the process of one dies."""

import os
from collections.abc import Iterator

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


@dg.asset(partitions_def=COMMITS, output_required=False)
def nothing() -> Iterator[dg.MaterializeResult]:
    yield from ()


@dg.asset(partitions_def=COMMITS, deps=[nothing])
def after_nothing() -> None: ...


class DeadBeforeItStarts(dg.ConfigurableResource):
    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        os._exit(9)


@dg.asset(partitions_def=COMMITS)
def dead(body: DeadBeforeItStarts) -> None: ...


defs = dg.Definitions(
    assets=[first, second, third, nothing, after_nothing, dead],
    jobs=[
        dg.define_asset_job("chain", selection=[first, second, third], executor_def=forked_executor),
        dg.define_asset_job("without_output", selection=[nothing, after_nothing], executor_def=forked_executor),
        dg.define_asset_job("dying", selection=[dead], executor_def=forked_executor),
    ],
    resources={"body": DeadBeforeItStarts()},
)
