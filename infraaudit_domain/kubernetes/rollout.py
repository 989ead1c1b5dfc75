"""Judge a rollout by what the API server reports of a workload and its pods. Deliberately absent: asking it."""

from collections.abc import Sequence
from dataclasses import dataclass

_HOPELESS = frozenset(
    {
        "CrashLoopBackOff", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError",
        "CreateContainerError", "RunContainerError",
    }
)  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Judgement:
    """``available``, ``progressing`` or ``failed``, with the reason."""

    state: str
    reason: str


def judge_rollout(
    workload: WorkloadStatus, pods: Sequence[PodStatus], *, unschedulable_seconds: float = 60.0
) -> Judgement:
    """A failure is seen as soon as a pod of the new revision is hopeless, not only at the deadline.

    A pod without a node is given ``unschedulable_seconds``: an autoscaler may be adding one.
    """
    if workload.observed_generation < workload.generation:
        return Judgement("progressing", f"{workload.name}: the controller has not seen the change yet")
    hopeless = next((why for pod in pods if (why := _hopeless(pod, unschedulable_seconds))), "")
    if hopeless:
        return Judgement("failed", f"{workload.name}: {hopeless}")
    progress = f"{workload.name}: {workload.updated} of {workload.desired} updated, {workload.available} available"
    if workload.updated >= workload.desired == workload.available and workload.total == workload.desired:
        return Judgement("available", progress)
    if workload.replica_failure:
        return Judgement("failed", f"{workload.name}: its pods cannot be created: {workload.replica_failure}")
    if workload.deadline_exceeded:
        return Judgement("failed", f"{workload.name} did not become ready: {workload.deadline_exceeded}")
    return Judgement("progressing", progress)


def _hopeless(pod: PodStatus, unschedulable_seconds: float) -> str:
    if pod.unschedulable and pod.unschedulable_seconds >= unschedulable_seconds:
        return f"pod {pod.pod} is unschedulable: {pod.unschedulable}"
    if pod.waiting_reason in _HOPELESS:
        why = ": ".join(filter(None, (pod.waiting_reason, pod.last_exit or pod.waiting_message)))
        return f"pod {pod.pod}, container {pod.container}: {why}"
    return ""
