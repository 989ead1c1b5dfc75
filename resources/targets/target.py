"""The interface of every deployment target.

Deliberately absent: deciding on a rollback (the caller does), and the targets themselves (cluster, container).
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from infraaudit_domain.delivery.deployments import Release, Rollout
from infraaudit_domain.kubernetes.drift import Difference


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a deployed container printed."""

    time: datetime
    """With time zone, in UTC, from the engine or the kubelet."""
    container: str
    text: str
    pod: str = ""
    sha: str = ""
    """The commit that printed it; empty where that is unknown."""
    stream: str = ""
    """stdout or stderr; empty where the source does not say (Kubernetes does not)."""
    previous: bool = False
    """Whether it is of the container instance before the last restart."""


class Target(Protocol):
    """Where releases run: a cluster or an engine. Every method may raise an InfraAuditError."""

    @property
    def name(self) -> str:
        """Its name in the history: ``kubernetes:<context>/<namespace>`` or ``container``."""
        ...

    def describe(self) -> str:
        """One line for people: what this is and where."""
        ...

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        """Deploy a release and wait until it is healthy or has failed.

        Idempotent: a release that runs already is left running, and a rollout in progress is resumed. It never rolls
        back; the caller does. ``timeout`` is in seconds.
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
    """A target that other machines can reach too, and that therefore has its own lock."""

    def exclusive(
        self, project: str, environment: str, *, holder: str, wait_seconds: float, on_wait: Callable[[str], None]
    ) -> AbstractContextManager[None]:
        """Lock an environment against other machines; ``holder`` identifies this machine's lock file."""
        ...

    def check_exclusive(self) -> None:
        """Raises ClusterError where the lock was lost to another machine, which may have changed anything since."""
        ...


@runtime_checkable
class ReversibleTarget(Protocol):
    """A target where a release that failed leaves something behind unless it is taken back."""

    def put_back(
        self, failed: Release, before: Release | None, *, timeout: float, on_progress: Callable[[str], None]
    ) -> Rollout:
        """Undo a release that did not become healthy: what it made is removed, what it changed is restored.

        ``before`` is what is deployed again, waited for as in ``deploy``; None where nothing was live.
        """
        ...


@runtime_checkable
class TidyingTarget(Protocol):
    """A target where an attempt that was killed leaves something behind."""

    def tidy(self, killed: Release, since: datetime, stays: Release | None, live: Release | None) -> list[str]:
        """Remove what an attempt made ``since`` it began, and put back what it changed of what was ``live`` then; what
        ``stays`` has is left alone. A line for each object that was touched, or could not be."""
        ...


@runtime_checkable
class DriftingTarget(Protocol):
    """A target where others may change what was deployed, and which can report the changes."""

    def drift(self, manifests: str) -> list[Difference]:
        """How the running objects differ from what was deployed."""
        ...
