"""Deployments as facts. Deliberately absent: talking to a cluster or an engine."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    DEPLOYED = "deployed"
    SKIPPED = "skipped"
    """A gate did not open, or there is nowhere to deploy to."""
    ROLLED_BACK = "rolled_back"
    """The commit did not become healthy; what ran before was restored and is healthy."""
    SUPERSEDED = "superseded"
    """A newer commit was already deployed when this one's turn came."""
    FAILED = "failed"
    """The commit did not become healthy and nothing ran before it, or nothing was changed at all."""
    DEGRADED = "degraded"
    """The rollback failed too; someone has to intervene."""
    INTERRUPTED = "interrupted"
    """It was not carried through, for a reason that may pass (an API server that does not answer); it is tried again."""
    UNCHANGED = "unchanged"
    """The same release is live already: it was applied again, which repairs drift, and is no deployment."""
    RUNNING = "running"
    """It is under way. One whose process was killed is noted as interrupted by the next attempt, which has its lock."""
    FROZEN = "frozen"
    """The environment takes no deployments now; the commit is deployed by itself afterwards."""
    WAITING = "waiting"
    """The commit waits for approvals, and is deployed by itself once it has them."""


TRIED = frozenset({Outcome.DEPLOYED, Outcome.ROLLED_BACK, Outcome.FAILED, Outcome.DEGRADED})
"""What changed an environment, or tried to: a commit that was skipped or superseded, or is live already, did not."""
IN_DOUBT = frozenset({Outcome.FAILED, Outcome.DEGRADED, Outcome.INTERRUPTED})
"""After these nobody knows that what was live before still runs as it was deployed."""
NOWHERE = "none"
"""The target of an attempt that ended before anything was applied anywhere."""
HELD = frozenset({Outcome.FROZEN, Outcome.WAITING})
"""What waits for a moment or for people, and continues by itself."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a commit is not deployed yet."""

    outcome: Outcome
    """One of HELD."""
    reason: str


@dataclass(frozen=True, slots=True)
class Release:
    """What a deployment applies: rendered manifests of one commit, for one environment."""

    project: str
    environment: str
    sha: str
    image: str
    """What the manifests name: a digest reference, or the local one."""
    manifests: str
    """Multi-document YAML, in the order in which it is applied."""
    soak: float = 0.0
    """Seconds that it has to stay healthy, without a restart, before it counts as deployed."""
    is_live: bool = False
    """Whether it is what is live, and only applied again: nothing of it that has run once runs again."""
    resumes: bool = False
    """Whether the attempt before was one of the same commit and was cut off: what bears the commit is of that one."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """What a target reports after applying (or restoring) a release."""

    healthy: bool
    reason: str = ""
    """Why not healthy: the pod's own message, its last events and log lines."""
    url: str | None = None
    """Where the service answers from this machine, where that is known."""
    seconds: float = 0.0
    details: tuple[tuple[str, str], ...] = ()
    """Named texts for the record: events, log ends, replicas over time."""
    changed: bool = True
    """False where the release was refused before anything was touched: there is nothing to restore."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One attempt to deploy a commit to an environment, and how it ended."""

    project: str
    environment: str
    sha: str
    target: str
    """``kubernetes:<context>/<namespace>``, ``container`` or NOWHERE."""
    outcome: Outcome
    started_at: datetime
    finished_at: datetime
    image: str = ""
    manifests: str = ""
    """What was applied; what a rollback to this commit would apply again."""
    replaced_sha: str | None = None
    """What was live before."""
    reason: str = ""
    url: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether the release is in place and healthy after this attempt."""
        return self.outcome in (Outcome.DEPLOYED, Outcome.UNCHANGED)

    def has(self, release: Release) -> bool:
        """Whether a release is what was brought out here: the same commit, image and manifests."""
        return (self.sha, self.image, self.manifests) == (release.sha, release.image, release.manifests)


@dataclass(frozen=True, slots=True)
class Order:
    """Which of an environment's commits are older than which: what puts an older one in place is a rollback.

    The deploy branch decides (``positions`` along it, from 0) where it has both commits. Where it does not, after a
    force-push for example, the commit that was healthy in the environment first is the older one.
    """

    positions: Mapping[str, int] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)

    def note_healthy(self, sha: str) -> None:
        """Take in the next commit that became healthy; they come oldest first."""
        self._seen.setdefault(sha, len(self._seen))

    def goes_back(self, sha: str, live: str | None) -> bool:
        """Whether putting a commit in place of what is live is going back."""
        if live is None or sha == live:
            return False
        for order in (self.positions, self._seen):
            if sha in order and live in order:
                return order[sha] < order[live]
        return False


@dataclass(frozen=True, slots=True)
class Watched:
    """A commit awaiting promotion, and since when every check found it healthy."""

    sha: str
    healthy_since: datetime

    def is_due(self, seconds: float, now: datetime) -> bool:
        return (now - self.healthy_since).total_seconds() >= seconds


def superseded_by(sha: str, healthy: Sequence[Deployment], is_ancestor: Callable[[str, str], bool]) -> str:
    """Why a commit must not be deployed to an environment automatically; empty where it may.

    ``healthy`` are the environment's deployments that became healthy, newest first. After a manual rollback, the
    commit that was rolled back and all older ones stay out until a newer commit comes; otherwise the next run would
    undo the rollback.
    """
    live = healthy[0].sha if healthy else sha
    if sha == live:
        return ""
    if is_ancestor(sha, live):
        return f"the newer commit {live[:12]} is live already"
    for left in _left_behind(healthy, is_ancestor):
        if sha == left or is_ancestor(sha, left):
            return (
                f"{live[:12]} was put back by hand in place of {left[:12]}; a newer commit is deployed by itself, "
                f"this one by `infraaudit rollback --to {sha[:12]}`"
            )
    return ""


def _left_behind(healthy: Sequence[Deployment], is_ancestor: Callable[[str, str], bool]) -> Iterator[str]:
    for deployment in healthy:
        before = deployment.replaced_sha
        if before is None or not is_ancestor(deployment.sha, before):
            return
        if before != deployment.sha:
            yield before
