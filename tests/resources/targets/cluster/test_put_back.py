"""The way back as a whole: what fails on it, and what is done all the same."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from infraaudit_domain.delivery.deployments import Release, Rollout
from infraaudit_domain.errors import ClusterError
from resources.targets.cluster import target as module
from resources.targets.cluster.connection import Cluster
from resources.targets.cluster.target import KubernetesTarget
from tests.resources.targets.cluster.memory import Memory, config

OLD, BAD = "1" * 40, "2" * 40
DOWN = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "down", "annotations": {"infraaudit.io/hook": "rollback"}},
}
FAILED = Release("shop", "production", BAD, "i", f"{json.dumps(DOWN)}\n---\n{json.dumps(config('new', BAD))}")
BEFORE = Release("shop", "production", OLD, "i", json.dumps(config("kept", OLD)))


class Scripted(KubernetesTarget):
    """Rolls nothing out; its rollouts end as the test says."""

    def __init__(self, *ends: Rollout | ClusterError) -> None:
        super().__init__(Cluster(None, "test", "v1.30.0", True), "x")
        self._found = {"ConfigMap/new": None}
        self.ends, self.asked = list(ends), list[tuple[str, int]]()

    def _roll_out(
        self, release: Release, steps: Any, deadline: float, on_progress: Any, undo: Any = None, beside: Any = ()
    ) -> Rollout:
        self.asked.append((release.sha, round(deadline - time.monotonic())))
        end = self.ends.pop(0)
        if isinstance(end, ClusterError):
            raise end
        return end


@pytest.mark.parametrize("hook", [ClusterError("the Job cannot be read"), Rollout(False, "the Job's time is up")])
@pytest.mark.parametrize("back", [Rollout(True), Rollout(False, "refused", changed=False), ClusterError("no answer")])
def test_a_hook_that_fails_or_takes_all_its_time_keeps_nothing_from_being_put_back(
    hook: Rollout | ClusterError, back: Rollout | ClusterError, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory.of(config("new", BAD))
    monkeypatch.setattr(module, "discovered", lambda cluster: memory)
    target = Scripted(hook, back if isinstance(back, ClusterError) else replace(back))
    done = target.put_back(FAILED, BEFORE, timeout=60, on_progress=lambda line: None)
    assert target.asked == [(BAD, 30), (OLD, 60)]
    assert not done.healthy and "the Job" in done.reason and str(getattr(back, "reason", back)) in done.reason
    assert not memory.objects and "ConfigMap/new was brought by it and is removed" in done.reason
