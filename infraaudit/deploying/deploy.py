"""Bring a release into an environment, and put back what ran before where it does not become healthy.

One delivery at a time for a project and environment, on this machine and, where the target is shared, across
machines. Deliberately absent: how a target applies manifests, and whether a commit may be delivered at all
(domain/gate.py).
"""

import fcntl
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from infraaudit_assets.domain.deployments import Deployment, Outcome, Release, Rollout
from infraaudit_assets.domain.errors import InfraAuditError
from resources.targets import SharedTarget, Target


def deliver(
    target: Target,
    release: Release,
    *,
    live: Callable[[], Deployment | None],
    superseded: Callable[[Deployment], str],
    lock: Path,
    timeout: float,
    clock: Callable[[], datetime],
    on_progress: Callable[[str], None],
    record: Callable[[Deployment], None] = lambda _: None,
) -> Deployment:
    """Deploy, wait until healthy, and put back what was live on failure.

    ``record`` keeps the outcome; it is called before the next delivery's turn, which judges by it.
    ``timeout`` is in seconds for each of the two. ``live`` and ``superseded``, which says why the release must not
    replace what is live, are asked when this delivery's turn has come; ``lock`` is a file that all deliveries of a
    project and environment share. Raises what a retry may mend; any other error of the target is an outcome.
    """
    with _alone(target, release, lock, 2 * timeout + 60, on_progress):
        done = _deliver(target, release, live(), superseded, timeout, clock, on_progress)
        record(done)
        return done


def _deliver(
    target: Target,
    release: Release,
    live: Deployment | None,
    superseded: Callable[[Deployment], str],
    timeout: float,
    clock: Callable[[], datetime],
    on_progress: Callable[[str], None],
) -> Deployment:
    started = clock()

    def ended(outcome: Outcome, reason: str = "", url: str | None = None) -> Deployment:
        return Deployment(
            project=release.project,
            environment=release.environment,
            sha=release.sha,
            target=target.name,
            outcome=outcome,
            started_at=started,
            finished_at=clock(),
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
        # Who is refused in the middle (an expired login) can neither watch nor put back.
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
    except InfraAuditError as error:  # That the way back is blocked is the fact to record, not a step to retry.
        return Rollout(False, str(error))


@contextmanager
def _alone(
    target: Target, release: Release, lock: Path, wait_seconds: float, on_wait: Callable[[str], None]
) -> Iterator[None]:
    """Hold the lock file, and the target's own lock where other machines can reach it.

    What the file holds names this machine in the target's lock: a delivery that was killed here is taken over at
    once, because the kernel has freed its file lock; one on another machine only when its lock has run out.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
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
