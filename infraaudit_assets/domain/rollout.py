"""Judge a rollout from what the API server says of a workload and its pods. Deliberately absent: asking it."""

from collections.abc import Sequence
from dataclasses import dataclass

_HOPELESS = frozenset(
    {"CrashLoopBackOff", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"}
)


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


@dataclass(frozen=True, slots=True)
class PodStatus:
    """One container of a pod of the new revision."""

    pod: str
    container: str
    waiting_reason: str = ""
    waiting_message: str = ""
    last_exit: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """``available``, ``progressing`` or ``failed``, with the reason."""

    state: str
    reason: str


def judge_rollout(workload: WorkloadStatus, pods: Sequence[PodStatus]) -> Judgement:
    """A failure is seen as soon as a pod of the new revision is hopeless, not only at the deadline."""
    if workload.observed_generation < workload.generation:
        return Judgement("progressing", f"{workload.name}: the controller has not seen the change yet")
    for pod in pods:
        if pod.waiting_reason in _HOPELESS:
            why = ": ".join(filter(None, (pod.waiting_reason, pod.last_exit or pod.waiting_message)))
            return Judgement("failed", f"{workload.name}: pod {pod.pod}, container {pod.container}: {why}")
    if workload.deadline_exceeded:
        return Judgement("failed", f"{workload.name} did not become ready: {workload.deadline_exceeded}")
    progress = f"{workload.name}: {workload.updated} of {workload.desired} updated, {workload.available} available"
    done = workload.updated == workload.desired == workload.available and workload.total == workload.desired
    return Judgement("available" if done else "progressing", progress)
