"""Judge a rollout by what the API server reports of a workload and its pods, as `kubectl rollout status` does.

What stood there before the release was applied is no result of it. Deliberately absent: asking the server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.kubernetes.fields import items, mapping

_NEVER_STARTS = frozenset(
    {"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"}
)
_HOPELESS = _NEVER_STARTS | {"CrashLoopBackOff", "RunContainerError"}


@dataclass(frozen=True, slots=True)
class WorkloadStatus:
    """One Deployment, StatefulSet or DaemonSet, as far as a rollout depends on it."""

    name: str
    generation: int
    observed_generation: int
    desired: int
    updated: int
    available: int
    total: int
    """All pods of it, those of earlier revisions included."""
    deadline_exceeded: str = ""
    """The message of the condition ProgressDeadlineExceeded."""
    replica_failure: str = ""
    """Why pods could not even be created: a quota, an admission rule."""
    strategy: str = "RollingUpdate"
    """OnDelete replaces a pod only when somebody deletes it."""
    partition: int = 0
    """A StatefulSet's pods below this number keep their revision."""
    paused: bool = False
    deadline_since: str = ""
    """When the deadline was exceeded, by the server's clock; likewise for the failure of replicas."""
    failure_since: str = ""

    @property
    def to_update(self) -> int:
        """How many pods the new revision has to reach."""
        return 0 if self.strategy == "OnDelete" else max(self.desired - self.partition, 0)

    @property
    def is_complete(self) -> bool:
        return self.updated >= self.to_update and self.desired == self.available == self.total


@dataclass(frozen=True, slots=True)
class PodStatus:
    """One container of a pod of the new revision."""

    pod: str
    container: str
    waiting_reason: str = ""
    waiting_message: str = ""
    last_exit: str = ""
    unschedulable: str = ""
    """The scheduler's message; empty where the pod has a node."""
    unschedulable_seconds: float = 0.0
    uid: str = ""
    """The pod's own."""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A Job, as far as waiting for it depends on it."""

    name: str
    complete: bool = False
    failed: str = ""
    """Why it has failed; empty where it has not."""
    suspended: bool = False
    gone: bool = False
    """Whether there is none of that name."""
    active: int = 0
    succeeded: int = 0
    completions: int = 1


@dataclass(frozen=True, slots=True)
class Judgement:
    """``available``, ``progressing`` or ``failed``, with the reason."""

    state: str
    reason: str
    note: str = ""
    """What a reader should know of it although it is available."""


def judge_rollout(
    workload: WorkloadStatus,
    pods: Sequence[PodStatus],
    *,
    unschedulable_seconds: float = 60.0,
    before: WorkloadStatus | None = None,
) -> Judgement:
    """A failure is seen as soon as a pod of the new revision is hopeless, not only at the deadline.

    A pod without a node is given ``unschedulable_seconds``: an autoscaler may be adding one. ``before`` is the status
    that the release met: a condition that is still the same says nothing of this rollout.
    """
    name = workload.name
    if workload.observed_generation < workload.generation:
        return Judgement("progressing", f"{name}: the controller has not seen the change yet")
    hopeless = next((why for pod in pods if (why := _hopeless(pod, unschedulable_seconds))), "")
    if hopeless:
        return Judgement("failed", f"{name}: {hopeless}")
    progress = f"{name}: {workload.updated} of {workload.desired} updated, {workload.available} available"
    if workload.is_complete:
        return Judgement("available", progress, _note(workload))
    if workload.paused:
        return Judgement("failed", f"{name} is paused (spec.paused), so nothing rolls out until that is taken away")
    if workload.replica_failure and not (before and before.failure_since == workload.failure_since):
        return Judgement("failed", f"{name}: its pods cannot be created: {workload.replica_failure}")
    if workload.deadline_exceeded and not (before and before.deadline_since == workload.deadline_since):
        return Judgement("failed", f"{name} did not become ready: {workload.deadline_exceeded}")
    still = f"; before, its pods could not be created: {workload.replica_failure}" if workload.replica_failure else ""
    return Judgement("progressing", progress + still)


def judge_job(job: JobStatus, pods: Sequence[PodStatus], *, unschedulable_seconds: float = 60.0) -> Judgement:
    """A Job has to complete. One whose pods crash is tried again by its own rule; one that cannot even start is not
    waited for; one that is suspended waits for somebody, and nothing waits for it."""
    if job.failed:
        return Judgement("failed", f"Job {job.name} has failed: {job.failed}")
    if job.complete:
        return Judgement("available", f"Job {job.name} is complete")
    if job.gone:
        advice = "If it removes itself, give it a ttlSecondsAfterFinished of at least 60"
        return Judgement("failed", f"Job {job.name} is gone before its end was seen. {advice}")
    if job.suspended:
        return Judgement("available", f"Job {job.name} is suspended", f"Job {job.name} is suspended and has not run")
    for pod in pods:
        if (why := _hopeless(pod, unschedulable_seconds)) and (
            pod.unschedulable or pod.waiting_reason in _NEVER_STARTS
        ):
            return Judgement("failed", f"Job {job.name}: {why}")
    progress = f"{job.succeeded} of {job.completions} succeeded, {job.active} running"
    return Judgement("progressing", f"Job {job.name}: {progress}")


def judge_definition(found: Mapping[str, Any] | None, name: str) -> Judgement:
    """A definition has to be established; one whose names are taken never is."""
    status = mapping((found or {}).get("status"))
    known = {str(one.get("type")): one for one in map(mapping, items(status.get("conditions")))}
    if known.get("Established", {}).get("status") == "True":
        return Judgement("available", f"CustomResourceDefinition {name} is established")
    names = known.get("NamesAccepted", {})
    if names.get("status") == "False":
        return Judgement("failed", f"CustomResourceDefinition {name} is not accepted: {names.get('message')}")
    return Judgement("progressing", f"CustomResourceDefinition {name} is not established yet")


def restarted(before: Sequence[PodStatus], now: Sequence[PodStatus]) -> str:
    """Which container has been started again in between, and how it had ended; empty where none has."""
    known = {(pod.uid, pod.container): pod.restarts for pod in before}
    for pod in now:
        if pod.restarts > known.get((pod.uid, pod.container), 0):
            return f"container {pod.container} of pod {pod.pod} was restarted ({pod.last_exit or 'it gives no reason'})"
    return ""


def is_hopeless(pod: PodStatus) -> bool:
    """Whether a container waits for what does not come by itself."""
    return pod.waiting_reason in _HOPELESS


def _note(workload: WorkloadStatus) -> str:
    if workload.updated >= workload.desired:
        return ""
    of = f"{workload.name}: {workload.updated} of {workload.desired} pods have the new revision"
    if workload.strategy == "OnDelete":
        return f"{of}; the others get it when somebody deletes them (OnDelete)"
    return f"{of}; those below partition {workload.partition} keep theirs"


def _hopeless(pod: PodStatus, unschedulable_seconds: float) -> str:
    if pod.unschedulable and pod.unschedulable_seconds >= unschedulable_seconds:
        return f"pod {pod.pod} is unschedulable: {pod.unschedulable}"
    if pod.waiting_reason in _HOPELESS:
        why = ": ".join(filter(None, (pod.waiting_reason, pod.last_exit or pod.waiting_message)))
        return f"pod {pod.pod}, container {pod.container}: {why}"
    return ""
