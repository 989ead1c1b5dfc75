"""What every deployment target offers, whatever it drives.

Deliberately absent: deciding on a rollback (the caller's), and the targets themselves (cluster, container_target).
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from infraaudit_domain.deployments import Release, Rollout
from infraaudit_domain.drift import Difference


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a deployed container printed."""

    time: datetime
    """Aware, in UTC, as the engine or the kubelet stamped it."""
    container: str
    text: str
    pod: str = ""
    sha: str = ""
    """The commit that printed it; empty where that is not known."""
    stream: str = ""
    """stdout or stderr; empty where the source does not tell (Kubernetes does not)."""
    previous: bool = False
    """Whether it is of the container instance before the last restart."""


class Target(Protocol):
    """Where releases run: a cluster or an engine. Every method may raise an InfraAuditError."""

    @property
    def name(self) -> str:
        """What the history calls it: ``kubernetes:<context>/<namespace>`` or ``container``."""
        ...

    def describe(self) -> str:
        """One line for people: what this is and where."""
        ...

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        """Put a release in place and wait until it is healthy or has failed.

        Idempotent: what is already there is left running, a rollout in progress is taken up. It never goes back by
        itself; the caller deploys the last good release again. ``timeout`` is in seconds.
        """
        ...

    def probe(self, project: str, environment: str) -> Rollout:
        """Whether what runs now is healthy, and its URL."""
        ...

    def logs(self, project: str, environment: str, since: datetime | None) -> Iterable[LogLine]:
        """Lines printed after ``since`` (all that is kept, where None), in the order of time per container."""
        ...


@runtime_checkable
class SharedTarget(Protocol):
    """A target that other machines can reach too, and that therefore brings a lock of its own."""

    def exclusive(
        self, project: str, environment: str, *, holder: str, wait_seconds: float, on_wait: Callable[[str], None]
    ) -> AbstractContextManager[None]:
        """Hold an environment against other machines; ``holder`` stands for this machine's lock file."""
        ...


@runtime_checkable
class DriftingTarget(Protocol):
    """A target where others may change what was deployed, and that can tell what they did."""

    def drift(self, manifests: str) -> list[Difference]:
        """In what the objects that run differ from what was deployed."""
        ...
