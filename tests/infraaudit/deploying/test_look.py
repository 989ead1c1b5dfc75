"""A look with self-healing: a difference that was put right and comes back is reported, and left."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infraaudit.deploying import look as module
from infraaudit.deploying.live_state import LiveState
from infraaudit.deploying.look import look_after
from infraaudit_domain.delivery.analysis import Analysis
from infraaudit_domain.delivery.deployments import Deployment, Outcome, Rollout
from infraaudit_domain.delivery.looks import Look
from infraaudit_domain.errors import ClusterError
from infraaudit_domain.kubernetes.drift import Difference
from infraaudit_domain.projects import Environment, Project
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.looks import last_seen, note_look
from resources.history.outbox import waiting_notices
from tests.resources.databases import migrated_history

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIVE = Deployment("shop", "production", "1" * 40, "kubernetes:a/b", Outcome.DEPLOYED, NOW, NOW)
SCALED = Difference("Deployment/web", "spec.replicas", "1", "3")
PRODUCTION = Environment("production", self_heal=True)
SHOP = Project("shop", "/x", environments=(PRODUCTION,))
NO_MIRROR = Mirror("/x", Path(tempfile.gettempdir(), "infraaudit-test-no-mirror", "shop"))


def unreached(_: Deployment) -> Any:
    """Connect to what no test here reaches."""


@pytest.fixture
def past(tmp_path: Path) -> Iterator[History]:
    history = migrated_history(tmp_path)
    yield history
    history.close()


@pytest.fixture
def look(past: History, monkeypatch: pytest.MonkeyPatch) -> Callable[[LiveState], Look]:
    """Look once more, as every process does: what was found before is in the history."""
    states: list[LiveState] = []

    def heal(*_: Any, **__: Any) -> Deployment:
        if len(states) == 1:
            raise ClusterError("no answer")
        return replace(LIVE, outcome=Outcome.UNCHANGED)

    def look(now: LiveState) -> Look:
        states.append(now)
        before = last_seen(past, "shop", "production").look
        healed = before.healed if before else ""
        found = look_after(
            past, NO_MIRROR, SHOP, PRODUCTION, unreached, healed_before=healed, timeout=1, on_progress=print
        )
        assert found is not None
        note_look(past, "shop", "production", found, NOW)
        return found

    monkeypatch.setattr(module, "heal", heal)
    monkeypatch.setattr(module, "look_at", lambda *_: states[-1])
    return look


def test_what_comes_back_after_it_was_put_right_is_reported_and_left_until_it_changes(
    past: History, look: Callable[[LiveState], Look]
) -> None:
    state = LiveState(LIVE, healthy=True, drift=(SCALED,))
    first = look(state)
    assert not first.passed and "could not be put right" in first.words, "it is tried again"
    right = look(replace(state, healthy=False))
    assert right.passed and right.words.startswith("put right: 1 difference"), "what is unhealthy is put right too"
    assert not waiting_notices(past)
    for _ in range(2):
        left = look(state)
        assert not left.passed and "came back" in left.words
    assert waiting_notices(past)
    other = replace(state, drift=(replace(SCALED, running="4"),))
    assert look(other).passed, "it is another difference"
    sick = look(replace(state, drift=(), healthy=False, reason="it crashes"))
    assert not sick.passed and "is not healthy: it crashes" in sick.words
    assert look(state).passed, "a look without it came between"


def test_what_cannot_be_compared_has_not_passed_and_forgets_nothing(past: History) -> None:
    def dead(_: Deployment) -> Any:
        raise ClusterError("no answer")

    past.record_deployment(LIVE)
    found = look_after(past, NO_MIRROR, SHOP, PRODUCTION, dead, healed_before="abc", timeout=1, on_progress=print)
    assert (
        found is not None
        and (found.passed, found.sha, found.healed) == (False, "", "abc")
        and "no answer" in found.words
    )


class Drifting:
    """A target on which a new release is being applied: nothing is as the one before was deployed."""

    name = LIVE.target

    def __init__(self, during: Callable[[], None] = lambda: None) -> None:
        self.during = during

    def probe(self, project: str, environment: str) -> Rollout:
        self.during()
        return Rollout(True)

    def drift(self, manifests: str) -> list[Difference]:
        return [SCALED]


def looked_at(past: History, target: Any, environment: Environment = PRODUCTION) -> Look | None:
    return look_after(
        past, NO_MIRROR, SHOP, environment, lambda _: target, healed_before="", timeout=1, on_progress=print
    )


def running(age: timedelta) -> Deployment:
    began = datetime.now(UTC) - age
    return replace(LIVE, sha="2" * 40, outcome=Outcome.RUNNING, started_at=began, finished_at=began)


@pytest.mark.parametrize("environment", [PRODUCTION, replace(PRODUCTION, self_heal=False)])
def test_nothing_is_said_of_an_environment_while_a_deployment_is_under_way(
    past: History, environment: Environment
) -> None:
    past.record_deployment(LIVE)
    past.record_deployment(running(timedelta(minutes=59)))
    assert looked_at(past, Drifting(), environment) is None and not waiting_notices(past)


@pytest.mark.parametrize("outcome", [Outcome.RUNNING, Outcome.DEPLOYED])
def test_a_deployment_that_began_meanwhile_is_no_drift(past: History, outcome: Outcome) -> None:
    past.record_deployment(LIVE)
    target = Drifting(lambda: past.record_deployment(replace(running(timedelta()), outcome=outcome)))
    assert looked_at(past, target) is None and not waiting_notices(past)

    def dead() -> None:
        raise ClusterError("its pods are being replaced")

    past.record_deployment(running(timedelta()))
    assert looked_at(past, Drifting(dead)) is None


def test_a_deployment_that_was_killed_long_ago_stops_no_looks(past: History) -> None:
    past.record_deployment(LIVE)
    past.record_deployment(running(timedelta(minutes=61)))
    soaking = replace(PRODUCTION, self_heal=False, soak=3600.0)
    assert looked_at(past, Drifting(), soaking) is None, "it may soak for an hour"
    measured = replace(PRODUCTION, self_heal=False, analysis=Analysis(after=3600.0))
    assert looked_at(past, Drifting(), measured) is None, "it may wait for an hour to be measured"
    found = looked_at(past, Drifting(), replace(PRODUCTION, self_heal=False))
    assert found is not None and found.drift and waiting_notices(past)


@pytest.mark.parametrize(
    ("drift", "words"),
    [
        (None, f"{LIVE.sha[:12]} runs"),
        ((), f"{LIVE.sha[:12]} runs as it was deployed"),
        ((SCALED,), "1 difference from what was deployed"),
        ((SCALED,) * 300, "300 differences from what was deployed"),
    ],
)
def test_a_look_says_no_more_than_it_saw(
    past: History, monkeypatch: pytest.MonkeyPatch, drift: Any, words: str
) -> None:
    monkeypatch.setattr(module, "look_at", lambda *_: LiveState(LIVE, healthy=True, drift=drift))
    calm = replace(PRODUCTION, self_heal=False)
    found = look_after(past, NO_MIRROR, SHOP, calm, unreached, healed_before="", timeout=1, on_progress=print)
    assert found is not None and found.words == words
    assert [notice.title for notice in waiting_notices(past)] == (
        [f"shop in production has drifted: {len(drift)} field{'s' * (len(drift) > 1)} changed"] if drift else []
    )
