"""Deploy a release to an environment, and roll back where it does not become healthy.

One deployment at a time for a project and environment, on this machine and, where the target is shared, across
machines. Deliberately absent: how a target applies manifests, and whether a commit may be deployed at all
(infraaudit_domain/judging/gate.py).
"""

import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from infraaudit_domain.delivery.deployments import IN_DOUBT, Deployment, Outcome, Release, Rollout, superseded_by
from infraaudit_domain.errors import InfraAuditError, RepositoryError
from resources.git.mirror import Mirror
from resources.history.deployments import healthy_deployments, last_tried
from resources.history.store import History
from resources.machine.locks import locked
from resources.targets.target import SharedTarget, Target

_UNCHANGED = "The same release is live already; it was applied again, and nothing was deployed."


def deploy(
    history: History,
    mirror: Mirror,
    target: Target,
    release: Release,
    *,
    timeout: float,
    superseded: Callable[[Deployment], str],
    on_progress: Callable[[str], None],
) -> Deployment:
    """Deploy, wait until healthy, roll back on failure, and record the outcome.

    ``timeout`` is in seconds for each of the two rollouts. ``superseded`` returns why the release must not replace what
    is live; it is called under the environment's lock, and the outcome is recorded before the lock is released, so that
    the next deployment judges by it. The release that is live is applied again, which repairs drift, and that is no
    deployment. Raises errors that a retry may fix; any other error of the target is an outcome.
    """
    lock = mirror.path.parent / f".deploy-{release.project}-{release.environment}.lock"
    with _alone(target, release, lock, 2 * timeout + 60, on_progress):
        live = history.live(release.project, release.environment)
        done = _deploy(target, release, live, superseded, timeout, on_progress)
        if done.outcome is Outcome.DEPLOYED and live and live.target == done.target and live.has(release):
            last = last_tried(history, release.project, release.environment)
            if last is None or last.outcome not in IN_DOUBT:
                done = replace(done, outcome=Outcome.UNCHANGED, reason=_UNCHANGED)
        history.record_deployment(done, _brought(mirror, done, live) if done.outcome is Outcome.DEPLOYED else ())
        return done


def in_order(history: History, mirror: Mirror, release: Release) -> Callable[[Deployment], str]:
    """The rule for automatic deployments: never to an older commit, and never against a manual rollback."""
    return lambda live: superseded_by(
        release.sha, healthy_deployments(history, release.project, release.environment), mirror.is_ancestor
    )


def _deploy(
    target: Target,
    release: Release,
    live: Deployment | None,
    superseded: Callable[[Deployment], str],
    timeout: float,
    on_progress: Callable[[str], None],
) -> Deployment:
    started = datetime.now(UTC)

    def ended(outcome: Outcome, reason: str = "", url: str | None = None) -> Deployment:
        return Deployment(
            project=release.project,
            environment=release.environment,
            sha=release.sha,
            target=target.name,
            outcome=outcome,
            started_at=started,
            finished_at=datetime.now(UTC),
            image=release.image,
            manifests=release.manifests,
            replaced_sha=live.sha if live else None,
            reason=reason,
            url=url,
        )

    if live is not None and live.sha != release.sha and (why := superseded(live)):
        return ended(Outcome.SUPERSEDED, why)
    on_progress(f"deploying {release.sha[:12]} to {target.describe()}")
    try:
        rollout = target.deploy(release, timeout=timeout, on_progress=on_progress)
    except InfraAuditError as error:
        if error.retryable:
            raise
        # After a rejected login (an expired one) we can neither watch nor roll back.
        return ended(Outcome.FAILED, f"{error} Nothing was put back; run the commit again to take its rollout up.")
    if rollout.healthy:
        return ended(Outcome.DEPLOYED, url=rollout.url)
    if not rollout.changed or live is None or live.sha == release.sha:
        return ended(Outcome.FAILED, rollout.reason)
    on_progress(f"not healthy ({rollout.reason.splitlines()[0]}); putting {live.sha[:12]} back")
    back = _put_back(target, live, timeout, on_progress)
    if back.healthy:
        return ended(Outcome.ROLLED_BACK, rollout.reason, back.url)
    return ended(Outcome.DEGRADED, f"{rollout.reason}\nThe rollback to {live.sha[:12]} failed too: {back.reason}")


def _put_back(target: Target, live: Deployment, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
    before = Release(live.project, live.environment, live.sha, live.image, live.manifests)
    try:
        return target.deploy(before, timeout=timeout, on_progress=on_progress)
    except InfraAuditError as error:  # A blocked rollback is recorded, not retried.
        return Rollout(False, str(error))


def _brought(mirror: Mirror, done: Deployment, live: Deployment | None) -> list[tuple[str, datetime]]:
    """The commits that became live: those that the commit live before does not contain, merged branches included.

    The first deployment to an environment brings only its own commit: how long older ones waited is unknown.
    """
    try:
        return mirror.commit_times([done.sha], [live.sha] if live else mirror.existing(mirror.commit(done.sha).parents))
    except RepositoryError:  # A force-push took away what was live; the outcome must be recorded all the same.
        return []


@contextmanager
def _alone(
    target: Target, release: Release, lock: Path, wait_seconds: float, on_wait: Callable[[str], None]
) -> Iterator[None]:
    """Hold the lock file, and the target's own lock where other machines can reach it.

    The file's content identifies this machine in the target's lock: a deployment that was killed here is taken over at
    once, because the kernel has freed its file lock; one on another machine only when its lock has expired.
    """
    with locked(lock) as stream:
        stream.seek(0)
        holder = stream.read().strip()
        if not holder:
            holder = f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
            stream.write(holder)
            stream.flush()
        if not isinstance(target, SharedTarget):
            yield
            return
        with target.exclusive(
            release.project, release.environment, holder=holder, wait_seconds=wait_seconds, on_wait=on_wait
        ):
            yield
