"""Dagster's launcher of runs as Kubernetes Jobs, patient with an API server that does not answer.

Run monitoring asks every few seconds, and fails a run whose state it cannot read: a single refused connection would
fail every run at once, and start each a second time while the first is still working. Deliberately absent: everything
else (dagster-k8s). dagster.yaml names this class as its run launcher.
"""

from dagster import DagsterRun
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster_k8s import K8sRunLauncher

_GONE = "could not be found"
"""What dagster-k8s says of a Job that the API server does not have; its only status for that is unknown."""


class RunJobs(K8sRunLauncher):
    """A K8sRunLauncher that treats a worker in unknown state as running; max_runtime_seconds still bounds it."""

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        found: CheckRunHealthResult = super().check_run_worker_health(run)
        if found.status is WorkerStatus.UNKNOWN and _GONE not in (found.msg or ""):
            return CheckRunHealthResult(WorkerStatus.RUNNING, found.msg)
        return found
