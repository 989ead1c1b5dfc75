"""Stages that a run planned and never began: they were skipped, and are not shown as failed.

Dagster takes a partition for failed whose last planned materialization belongs to a run that failed, whether its step
ran or not: a commit that a gate stops would have monitoring, logs and dashboard red. Planned once more, without a run,
they are missing, which they are.
"""

from collections.abc import Collection

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.instance import RUNLESS_JOB_NAME, RUNLESS_RUN_ID

from infraaudit_domain.errors import excerpt


def report_skipped(
    instance: dg.DagsterInstance, plan: ExecutionPlan, begun: Collection[str], partition: str | None, reason: str
) -> None:
    """Say of the steps that were not begun that they have not failed, and why they were skipped."""
    for step in plan.get_all_steps_in_topo_order():
        if step.key not in begun and partition is not None:
            for output in step.step_outputs:
                if (key := output.asset_key) is not None:
                    planned = AssetMaterializationPlannedData(asset_key=key, partition=partition)
                    event = dg.DagsterEvent.build_asset_materialization_planned_event(
                        RUNLESS_JOB_NAME, step.key, planned
                    )
                    instance.report_dagster_event(event, run_id=RUNLESS_RUN_ID)
                    seen = dg.AssetObservation(key, partition=partition, metadata={"skipped": reason})
                    instance.report_runless_asset_event(seen)


def failure_of(event: dg.DagsterEvent) -> str:
    """Which step an event says has failed, and why; empty for any other event."""
    if not event.is_step_failure:
        return ""
    data = event.step_failure_data
    said = data.user_failure_data.description if data.user_failure_data else None
    return excerpt(f"{event.step_key}: {said or (data.error.message if data.error else 'it failed')}", 2000)
