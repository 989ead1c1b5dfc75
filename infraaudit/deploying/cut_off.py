"""Attempts that were killed, or ended before they were carried through: noted as such, and what they left is removed.

The caller holds the lock of the environment: whatever is recorded as under way is not. Deliberately absent: how a target
finds what an attempt made.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from infraaudit_domain.delivery.deployments import Deployment, Outcome, Release
from infraaudit_domain.errors import InfraAuditError
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.deployments import cut_off, is_any_running
from resources.machine.locks import locked_within
from resources.targets.target import Target, TidyingTarget

_KILLED = "It was killed, or its machine was lost; the next attempt takes its rollout up, or removes what it left."


def note_killed(history: History, project: str, environment: str) -> list[Deployment]:
    """The attempts since the last one that was carried through, those that were killed noted as interrupted."""
    noted = []
    for attempt in cut_off(history, project, environment):
        if attempt.outcome is Outcome.RUNNING:
            now = datetime.now(UTC)
            attempt = replace(attempt, outcome=Outcome.INTERRUPTED, reason=_KILLED, finished_at=now)
            history.record_deployment(attempt)
        noted.append(attempt)
    return noted


def close_dead(history: History, mirror: Mirror, project: str, environment: str) -> None:
    """Note attempts as killed that are recorded as under way although nobody has their lock; the caller knows that they
    are older than an attempt can be, as one of another machine may have another lock file."""
    if is_any_running(history, project, environment):
        with locked_within(lock_of(mirror, project, environment), 0) as is_free:
            if is_free:
                note_killed(history, project, environment)


def lock_of(mirror: Mirror, project: str, environment: str) -> Path:
    """The lock file of an environment on this machine."""
    return mirror.path.parent / f".deploy-{project}-{environment}.lock"


def tidied(
    target: Target,
    left: Sequence[Deployment],
    done: Deployment,
    live: Deployment | None,
    on_progress: Callable[[str], None],
) -> Deployment:
    """What was done, with a line for each thing that earlier attempts had left and that is in order now.

    ``live`` is what was live before: it is in place where ``done`` is not.
    """
    if not isinstance(target, TidyingTarget):
        return done
    before = release_of(live) if live else None
    stays = release_of(done) if done.is_live else before
    lines: list[str] = []
    at_target = [one for one in left if one.target == target.name and one.manifests]
    # Of several attempts with the same release, the first says since when its objects were made.
    first = {(one.sha, one.manifests): one for one in reversed(at_target)}
    for attempt in reversed(first.values()):
        lines += _tidied(target, attempt, stays, before)
    if not lines:
        return done
    on_progress("; ".join(lines))
    return replace(done, reason="\n".join(filter(None, (done.reason, *lines))))


def _tidied(target: TidyingTarget, attempt: Deployment, stays: Release | None, live: Release | None) -> list[str]:
    try:
        return [f"{line} (of {attempt.sha[:12]}, which was cut off)" for line in target.tidy(
            release_of(attempt), attempt.started_at, stays, live)]  # fmt: skip
    except InfraAuditError as error:  # What was deployed is recorded all the same.
        return [f"what {attempt.sha[:12]} left, which was cut off, could not be looked for: {error}"]


def release_of(deployment: Deployment) -> Release:
    """What an attempt was to bring out."""
    return Release(deployment.project, deployment.environment, deployment.sha, deployment.image, deployment.manifests)
