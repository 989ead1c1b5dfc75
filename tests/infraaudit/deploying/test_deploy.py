"""Deployments and their records: real history, real Git, and a target whose behaviour the test sets."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from infraaudit.deploying.deploy import deploy, in_order
from infraaudit.deploying.live_state import look_at
from infraaudit_domain.deployments import Deployment, Outcome, Release, Rollout
from infraaudit_domain.errors import ClusterUnavailableError
from infraaudit_domain.projects import Project
from resources.history import History
from resources.targets.target import LogLine
from tests.conftest import Repository
from tests.resources.databases import fresh_history


@dataclass
class ToldTarget:
    """Healthy except for the commits that are named as bad."""

    bad: set[str] = field(default_factory=set)
    name: str = "scripted"
    running: str = ""

    def describe(self) -> str:
        return self.name

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        self.running = release.sha
        return Rollout(release.sha not in self.bad, f"{release.sha[:12]} crashes" if release.sha in self.bad else "")

    def probe(self, project: str, environment: str) -> Rollout:
        return Rollout(self.running not in self.bad, "it crashes")

    def logs(self, project: str, environment: str, since: datetime | None) -> Iterable[LogLine]:
        return ()


class Shop:
    def __init__(self, repository: Repository, history: History) -> None:
        self.shas = [repository.write({"a": str(number)}, "a commit") for number in range(5)]
        self.mirror, self.history, self.target = repository.mirror(), history, ToldTarget()

    def deliver(self, number: int, by_hand: bool = False) -> Deployment:
        sha = self.shas[number]
        release = Release("shop", "production", sha, "i:1", "")
        rule = (lambda _: "") if by_hand else in_order(self.history, self.mirror, release)
        return deploy(
            self.history, self.mirror, self.target, release, timeout=1, superseded=rule, on_progress=lambda _: None
        )


@pytest.fixture
def shop(
    repository: Repository, tmp_path: Path, needs: Callable[[str], None], request: pytest.FixtureRequest
) -> Iterator[Shop]:
    for history in fresh_history("sqlite", tmp_path, needs, request):
        yield Shop(repository, history)


def test_a_rollback_by_hand_stays_until_a_newer_commit_comes(shop: Shop) -> None:
    assert [shop.deliver(n).outcome for n in (1, 0, 3)] == [Outcome.DEPLOYED, Outcome.SUPERSEDED, Outcome.DEPLOYED]
    shop.deliver(1, by_hand=True)
    for taken_back in (3, 2):
        kept = shop.deliver(taken_back)
        assert kept.outcome is Outcome.SUPERSEDED and "put back by hand" in kept.reason
    assert shop.target.running == shop.shas[1]
    assert shop.deliver(4).outcome is Outcome.DEPLOYED


def test_degraded_is_seen_in_the_state(shop: Shop) -> None:
    shop.deliver(0)
    shop.target.bad = set(shop.shas)
    assert shop.deliver(1).outcome is Outcome.DEGRADED
    project = Project("shop", "/x")
    seen = look_at(shop.history, project, project.environment, lambda live: shop.target)
    assert (seen.healthy, seen.degraded, seen.live and seen.live.sha) == (False, True, shop.shas[0])
    shop.target.bad.clear()
    assert shop.deliver(1).outcome is Outcome.DEPLOYED
    seen = look_at(shop.history, project, project.environment, lambda live: shop.target)
    assert seen.healthy and not seen.degraded


def test_another_target_than_the_one_that_was_deployed_to_is_not_taken_for_it(shop: Shop) -> None:
    shop.deliver(0)
    project = Project("shop", "/x")
    with pytest.raises(ClusterUnavailableError, match="deployed to scripted; what answers is other"):
        look_at(shop.history, project, project.environment, lambda live: ToldTarget(name="other"))
