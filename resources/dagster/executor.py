"""The executor of our jobs: each step in a child that is forked from the run's own process, which has imported all.

Dagster offers only spawned steps and a fork server, since a process with threads must not fork. A run's process has
none that a step shares anything with, so its steps start in milliseconds and import nothing. Deliberately absent: how
steps are ordered, retried and cancelled (Dagster's MultiprocessExecutor).
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor import multiprocess
from dagster._core.executor.init import InitExecutorContext
from dagster._core.executor.multiprocess import MultiprocessExecutor
from dagster._core.instance.ref import InstanceRef

from infraaudit_domain.dagster_names import PARTITION
from resources.dagster.pools import wait_patiently
from resources.dagster.skipped_steps import Steps, report_skipped
from resources.dagster.sqlite_engines import keep_engines
from resources.dagster.step_output import copy_without_programs
from resources.dagster.workers import working_on
from resources.machine.process import die_with

STEPS_AT_ONCE = 3


class ForkedSteps(MultiprocessExecutor):
    """Runs steps side by side, each in a fork of this process that dies with it."""

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        with working_on(Path(plan_context.instance.root_directory), plan_context.run_id):
            _tie_forks_to_this_process(plan_context.instance)
            wait_patiently()
            keep_engines()
            steps = Steps()
            try:
                for event in super().execute(plan_context, execution_plan):
                    steps.note(event)
                    yield event
            finally:
                partition = plan_context.dagster_run.tags.get(PARTITION)
                report_skipped(plan_context.instance, execution_plan, steps, partition)


@dg.executor(name="forked", requirements=multiple_process_executor_requirements())
def forked_executor(_: InitExecutorContext) -> MultiprocessExecutor:
    """Every step in a fork of the run's process."""
    return ForkedSteps(retries=RetryMode.ENABLED, max_concurrent=STEPS_AT_ONCE, start_method="fork")


_run = 0
"""This process, where what it forks are steps of a run."""
_instance: dg.DagsterInstance | None = None
"""The run's, which its steps go on using: to open one takes longer than most steps."""


def _tie_forks_to_this_process(instance: dg.DagsterInstance) -> None:
    """Have what this process forks from now on die with it, and use its instance."""
    global _run, _instance
    _run, _instance = os.getpid(), instance


def _begin_step() -> None:
    global _run
    parent, _run = _run, 0
    if parent:
        signal.set_wakeup_fd(-1)  # It is the run's, which waits there for interrupts of its own.
        die_with(parent)
        copy_without_programs()
        multiprocess.DagsterInstance = _Inherited  # type: ignore[assignment,attr-defined]


class _Inherited:
    """What a step sees in place of DagsterInstance."""

    @staticmethod
    def from_ref(_: InstanceRef) -> dg.DagsterInstance:
        assert _instance is not None
        return _instance


os.register_at_fork(after_in_child=_begin_step)
