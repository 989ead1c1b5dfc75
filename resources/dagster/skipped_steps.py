"""Stages that a run planned and never began: they were skipped, and are not shown as failed.

Dagster takes a partition for failed whose last planned materialization belongs to a run that failed, whether its step
ran or not: a commit that a gate stops would have monitoring, logs and dashboard red. Planned once more, without a run,
they are missing, which they are.
"""

from dataclasses import dataclass, field

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.instance import RUNLESS_JOB_NAME, RUNLESS_RUN_ID

from infraaudit_domain.errors import excerpt


@dataclass(slots=True)
class Steps:
    """How the steps of a run went, by its events."""

    begun: set[str] = field(default_factory=set)
    """Also those whose process died before it could say that it started."""
    skipped: set[str] = field(default_factory=set)
    """By Dagster, because a step before gave no output."""
    failures: list[str] = field(default_factory=list)

    def note(self, event: dg.DagsterEvent) -> None:
        if event.step_key and (event.is_step_start or event.is_step_failure):
            self.begun.add(event.step_key)
        if event.step_key and event.is_step_skipped:
            self.skipped.add(event.step_key)
        if failure := _failure_of(event):
            self.failures.append(failure)

    def why_not_begun(self, key: str) -> str:
        if key in self.skipped:
            return "a stage before it was skipped"
        return "; ".join(self.failures) or "the run ended before"


def report_skipped(instance: dg.DagsterInstance, plan: ExecutionPlan, steps: Steps, partition: str | None) -> None:
    """Say of the steps that this run was to execute and did not begin that they have not failed, and why they were
    skipped."""
    for step in plan.get_steps_to_execute_in_topo_order():
        if step.key not in steps.begun and partition is not None:
            for output in step.step_outputs:
                if (key := output.asset_key) is not None:
                    planned = AssetMaterializationPlannedData(asset_key=key, partition=partition)
                    event = dg.DagsterEvent.build_asset_materialization_planned_event(
                        RUNLESS_JOB_NAME, step.key, planned
                    )
                    instance.report_dagster_event(event, run_id=RUNLESS_RUN_ID)
                    reason = steps.why_not_begun(step.key)
                    seen = dg.AssetObservation(key, partition=partition, metadata={"skipped": reason})
                    instance.report_runless_asset_event(seen)


def _failure_of(event: dg.DagsterEvent) -> str:
    """Which step an event says has failed, and why; empty for any other event."""
    if not event.is_step_failure:
        return ""
    data = event.step_failure_data
    said = data.user_failure_data.description if data.user_failure_data else None
    return excerpt(f"{event.step_key}: {said or (data.error.message if data.error else 'it failed')}", 2000)
