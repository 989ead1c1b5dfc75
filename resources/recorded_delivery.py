"""A delivery whose outcome becomes a fact of the history: the same for an asset and for a person at the command line."""

from collections.abc import Callable
from datetime import UTC, datetime

from infraaudit_assets.domain.deployments import Deployment, Outcome, Release, superseded_by
from infraaudit_assets.domain.notices import Notice
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
        history.record_deployment(done)
        if done.outcome is Outcome.DEGRADED:
            history.enqueue_notice(_cry(done))

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


def _cry(done: Deployment) -> Notice:
    return Notice(
        key=f"degraded:{done.project}:{done.environment}:{done.sha}:{done.started_at.isoformat()}",
        project=done.project,
        title=f"{done.project}: {done.environment} is DEGRADED; {done.sha[:12]} failed, and so did the way back",
        body=f"{done.reason}\nMend it by hand: `infraaudit status --project {done.project}` shows what runs, "
        f"`infraaudit rollback --project {done.project} --environment {done.environment} --to SHA` goes back.",
        urgency="critical",
    )
