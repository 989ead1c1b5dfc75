"""The drift check with self-healing: a difference that was put right and comes back is reported, and left."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from infraaudit.deploying.live_state import LiveState
from infraaudit_assets.assets import drift as module
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.errors import ClusterError
from infraaudit_domain.kubernetes.drift import Difference
from infraaudit_domain.projects import Environment, Project
from resources.dagster.resources import GitResource, HistoryResource, KubernetesResource

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIVE = Deployment("shop", "production", "1" * 40, "kubernetes:a/b", Outcome.DEPLOYED, NOW, NOW)
SCALED = Difference("Deployment/web", "spec.replicas", "1", "3")


def test_what_comes_back_after_it_was_put_right_is_reported_and_left_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = LiveState(LIVE, healthy=True, drift=(SCALED,))
    looks: list[LiveState] = []
    healed: list[int] = []
    notices: list[Any] = []

    def heal(*_: Any, **__: Any) -> Deployment:
        healed.append(len(looks))
        if len(looks) == 1:
            raise ClusterError("no answer")
        return replace(LIVE, outcome=Outcome.UNCHANGED)

    monkeypatch.setattr(module, "heal", heal)
    monkeypatch.setattr(module, "look_at", lambda *_: looks[-1])
    monkeypatch.setattr(module, "write_notices", lambda past, written: notices.extend(written))
    for resource in (GitResource, HistoryResource, KubernetesResource):
        monkeypatch.setattr(resource, "connect", lambda *_: SimpleNamespace())
    environment = Environment("production", self_heal=True)
    check = module.build_drift_check(Project("shop", "/x", environments=(environment,)), ["shop"], environment)
    resources = {
        "git": GitResource(state=str(tmp_path)),
        "kubernetes": KubernetesResource(state=str(tmp_path)),
        "history": HistoryResource(url="sqlite://", gate_file=""),
    }
    instance = dg.DagsterInstance.ephemeral()

    def look(now: LiveState) -> dg.AssetCheckEvaluation:
        looks.append(now)
        done = dg.materialize([check], instance=instance, resources=resources, selection=dg.AssetSelection.all_asset_checks())  # fmt: skip
        (found,) = done.get_asset_check_evaluations()
        return found

    assert not look(state).passed, "it could not be put right, and is tried again"
    assert look(replace(state, healthy=False)).passed, "what is unhealthy is put right too"
    for _ in range(2):
        left = look(state)
        assert not left.passed and "came back" in str(left.description)
    assert healed == [1, 2] and notices
    other = replace(state, drift=(replace(SCALED, running="4"),))
    assert look(other).passed and healed == [1, 2, 5]
    sick = look(replace(state, drift=(), healthy=False, reason="it crashes"))
    assert not sick.passed and "is not healthy: it crashes" in str(sick.description)
