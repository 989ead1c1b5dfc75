"""A shop with a real history and a real Git repository, and a target whose behaviour the test sets."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from infraaudit.deploying.deploy import deploy, in_order
from infraaudit_domain.delivery.deployments import Deployment, Release, Rollout
from infraaudit_domain.errors import (
    InfraAuditError,
)
from resources.history import History
from resources.targets.target import LogLine
from tests.conftest import Repository


@dataclass
class ScriptedTarget:
    """Healthy except for the commits that are named as bad."""

    bad: set[str] = field(default_factory=set)
    name: str = "scripted"
    running: str = ""
    applied: int = 0
    bad_manifests: set[str] = field(default_factory=set)
    error: InfraAuditError | None = None

    def describe(self) -> str:
        return self.name

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        if self.error:
            raise self.error
        self.running = release.sha
        self.applied += 1
        is_bad = release.sha in self.bad or release.manifests in self.bad_manifests
        fault = f"{release.sha[:12]} crashes" if is_bad else ""
        return Rollout(not fault, fault, f"http://{self.name}:{self.applied}")

    def probe(self, project: str, environment: str) -> Rollout:
        return Rollout(self.running not in self.bad, "it crashes")

    def logs(self, project: str, environment: str, since: datetime | None) -> Iterable[LogLine]:
        return ()


class Shop:
    def __init__(self, repository: Repository, history: History) -> None:
        self.shas = [repository.write({"a": str(number)}, "a commit") for number in range(5)]
        self.mirror, self.history, self.target = repository.mirror(), history, ScriptedTarget()

    def deliver(self, number: int, by_hand: bool = False, image: str = "i:1", manifests: str = "") -> Deployment:
        sha = self.shas[number]
        release = Release("shop", "production", sha, image, manifests)
        rule = (lambda _: "") if by_hand else in_order(self.history, self.mirror, release)
        return deploy(
            self.history, self.mirror, self.target, release, timeout=1, superseded=rule, on_progress=lambda _: None
        )
