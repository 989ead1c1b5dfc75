"""What is live in an environment right now: which commit, whether it is healthy, and what has drifted."""

from collections.abc import Callable
from dataclasses import dataclass

from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.errors import ClusterUnavailableError
from infraaudit_domain.kubernetes.drift import Difference
from infraaudit_domain.projects import Environment, Project
from resources.history import History
from resources.history.deployments import last_tried
from resources.targets.target import DriftingTarget, Target


@dataclass(frozen=True, slots=True)
class LiveState:
    """The observed state of an environment."""

    live: Deployment | None = None
    healthy: bool = False
    degraded: bool = False
    """Whether the last rollback failed."""
    reason: str = ""
    url: str | None = None
    drift: tuple[Difference, ...] | None = None
    """None where the target cannot report it."""


def look_at(
    history: History, project: Project, environment: Environment, connect: Callable[[Deployment], Target]
) -> LiveState:
    """Observe an environment. Raises an InfraAuditError where that is impossible, for example without a cluster."""
    live = history.live(project.name, environment.name)
    if live is None:
        return LiveState()
    target = connect(live)
    if target.name != live.target:
        raise ClusterUnavailableError(f"It was deployed to {live.target}; what answers is {target.name}.")
    now = target.probe(project.name, environment.name)
    last = last_tried(history, project.name, environment.name)
    return LiveState(
        live=live,
        healthy=now.healthy,
        degraded=last is not None and last.outcome is Outcome.DEGRADED,
        reason=now.reason,
        url=now.url,
        drift=tuple(target.drift(live.manifests)) if isinstance(target, DriftingTarget) else None,
    )
