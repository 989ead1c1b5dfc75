"""A delivery whose outcome becomes a fact of the history: the same for an asset and for a person at the command line."""

from collections.abc import Callable
from datetime import UTC, datetime

from infraaudit_assets.domain.deployments import Deployment, Outcome, Release, superseded_by
from infraaudit_assets.domain.errors import RepositoryError
from resources.delivery import deliver
from resources.git import Mirror
from resources.history import History
from resources.history.queries.deployed import healthy_deployments
from resources.targets import Target


def deliver_recorded(
    history: History,
    mirror: Mirror,
    target: Target,
    release: Release,
    *,
    timeout: float,
    superseded: Callable[[Deployment], str],
    on_progress: Callable[[str], None],
) -> Deployment:
    """Deliver a release, and record how that ended before the next delivery's turn. ``timeout`` is in seconds."""

    def record(done: Deployment) -> None:
        live = history.live(release.project, release.environment)
        history.record_deployment(done, _brought(mirror, done, live) if done.outcome is Outcome.DEPLOYED else ())

    return deliver(
        target,
        release,
        live=lambda: history.live(release.project, release.environment),
        superseded=superseded,
        lock=mirror.path.parent / f".deploy-{release.project}-{release.environment}.lock",
        timeout=timeout,
        clock=lambda: datetime.now(UTC),
        on_progress=on_progress,
        record=record,
    )


def in_order(history: History, mirror: Mirror, release: Release) -> Callable[[Deployment], str]:
    """The rule for what comes by itself: never backwards, and never against a person who went back."""
    return lambda live: superseded_by(
        release.sha, healthy_deployments(history, release.project, release.environment), mirror.is_ancestor
    )


def _brought(mirror: Mirror, done: Deployment, live: Deployment | None) -> list[tuple[str, datetime]]:
    """The commits that became live: all that what was live before has not, merged branches included.

    The first deployment to an environment brings itself alone: how long older commits waited, nobody can say.
    """
    try:
        return mirror.commit_times([done.sha], [live.sha] if live else mirror.commit(done.sha).parents)
    except RepositoryError:  # A force-push took away what was live; the outcome must be recorded all the same.
        return []
