"""Waiting for a pool: without burning a core, and not for a run whose process was killed.

Dagster's executor asks again and again without a pause while nothing but a pool is waited for, and slots of a killed
run are freed by the daemon alone. Deliberately absent: the pools and their limits (Dagster).
"""

import time
from pathlib import Path

from dagster import DagsterInstance, DagsterRun
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.executor import multiprocess

from resources.dagster import workers

_PAUSE, _SECONDS_BETWEEN_LOOKS = 0.05, 1.0


class PatientClaims(InstanceConcurrencyContext):
    """Claims of a run on pools; one that is refused takes a pause, and frees what lost runs hold."""

    def __init__(self, instance: DagsterInstance, dagster_run: DagsterRun) -> None:
        super().__init__(instance, dagster_run)
        self._storage, self._home = instance.event_log_storage, Path(instance.root_directory)
        self._next_look = 0.0

    def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        if super().claim(concurrency_key, step_key, step_priority):
            return True
        if time.monotonic() > self._next_look:
            if self._has_freed_lost_slots(concurrency_key):
                self._pending_timeouts[step_key] = 0
            self._next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS
        time.sleep(_PAUSE)
        return False

    def _has_freed_lost_slots(self, pool: str) -> bool:
        info = self._storage.get_concurrency_info(pool)
        holders = {slot.run_id for slot in info.claimed_slots} | {step.run_id for step in info.pending_steps}
        lost = [run_id for run_id in holders if workers.state_of(self._home, run_id) is workers.Worker.GONE]
        for run_id in lost:
            self._storage.free_concurrency_slots_for_run(run_id)
        return bool(lost)


def wait_patiently() -> None:
    """Have the executor of this process wait for pools in this way."""
    multiprocess.InstanceConcurrencyContext = PatientClaims  # type: ignore[attr-defined]
