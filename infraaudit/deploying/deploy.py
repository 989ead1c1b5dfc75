"""Deploy a release to an environment, and roll back where it does not become healthy.

One deployment at a time for a project and environment, on this machine and, where the target is shared, across
machines. Deliberately absent: how a target applies manifests, and whether a commit may be deployed at all
(infraaudit_domain/judging/gate.py).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from infraaudit.deploying.alone import alone
from infraaudit.deploying.analysing import Analyser
from infraaudit.deploying.attempt import Attempt, begun
from infraaudit.deploying.cut_off import lock_of, note_killed, tidied
from infraaudit.deploying.holds import supersede_held
from infraaudit_domain.delivery.deployments import (
    IN_DOUBT,
    NOWHERE,
    TRIED,
    Deployment,
    Hold,
    Outcome,
    Release,
    superseded_by,
)
from infraaudit_domain.errors import (
    ClusterUnavailableError,
    EngineUnavailableError,
    InfraAuditError,
    RepositoryError,
)
from resources.git.mirror import Mirror
from resources.history.decisions.rejections import rejected
from resources.history.deployments import healthy_deployments, last_tried
from resources.history.store import History
from resources.targets.target import SharedTarget, Target

_LOG = logging.getLogger("infraaudit.deploying")
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
    held: Callable[[], Hold | None] = lambda: None,
    analyse: Analyser | None = None,
) -> Deployment:
    """Deploy, wait until healthy, roll back on failure, and record the outcome.

    ``timeout`` is in seconds for each of the two rollouts; half of it is for the Jobs of the way back. ``superseded``
    returns why the release must not replace what is live, ``held`` why it has to wait; both are called under the
    environment's lock, and the outcome is recorded before the lock is released, so that the next deployment judges by
    it. The release that is live is applied again, which repairs drift, and that is no deployment. A commit that was
    rejected is skipped, whoever asks. Raises errors that a retry may fix, once the attempt is recorded as interrupted;
    any other error of the target is an outcome. With ``analyse`` a healthy release counts as deployed only where its
    measurements are within their limits.
    """
    lock = lock_of(mirror, release.project, release.environment)
    attempt = Attempt(target, release, history.live(release.project, release.environment))
    done: Deployment | None = None
    where = NOWHERE
    try:
        with alone(target, release, lock, _patience(timeout, release, analyse), on_progress):
            where = target.name
            left = note_killed(history, release.project, release.environment)
            last = last_tried(history, release.project, release.environment, TRIED | IN_DOUBT)
            attempt = begun(history, target, release, last)
            ended = attempt.kept_out(rejected(history, release.project).get(release.sha), superseded, held)
            if ended is not None:
                ended = attempt.cleared(ended, left, timeout, on_progress)
            else:
                history.record_deployment(attempt.ended(Outcome.RUNNING, "It is under way."))
                ended = attempt.carried_out(timeout, on_progress, analyse, history.record_deployment)
                others = [one for one in left if one.manifests != release.manifests]
                ended = tidied(target, others, ended, attempt.live, on_progress)
            if isinstance(target, SharedTarget):  # What was seen last may be of another machine's deployment.
                target.check_exclusive()
            is_certain = last is None or last.outcome not in IN_DOUBT
            if ended.outcome is Outcome.DEPLOYED and attempt.is_of_what_is_live and is_certain:
                ended = replace(ended, outcome=Outcome.UNCHANGED, reason=_UNCHANGED)
            brought = _brought(mirror, ended, attempt.live) if ended.outcome is Outcome.DEPLOYED else ()
            history.record_deployment(ended, brought)
            done = ended
            if done.outcome is Outcome.DEPLOYED:
                supersede_held(history, mirror, done)
    except InfraAuditError as error:
        if done is not None:  # What came after it changes nothing of how it ended.
            _LOG.warning("%s in %s is %s; then: %s", release.sha[:12], release.environment, done.outcome.value, error)
            return done
        ended = attempt.ended(Outcome.INTERRUPTED if error.retryable else Outcome.FAILED, str(error))
        ended = replace(ended, target=where)  # Without the lock it has changed nothing, and settles nothing.
        history.record_deployment(ended)
        if error.retryable:
            raise
        return ended
    return done


def _patience(timeout: float, release: Release, analyse: Analyser | None) -> float:
    """How many seconds the lock of the environment is waited for."""
    return 2.5 * timeout + release.soak + (analyse.analysis.lasts if analyse else 0) + 60


def in_order(history: History, mirror: Mirror, release: Release) -> Callable[[Deployment], str]:
    """The rule for automatic deployments: never to an older commit, and never against a manual rollback."""
    return lambda live: superseded_by(
        release.sha, healthy_deployments(history, release.project, release.environment), mirror.is_ancestor
    )


def _brought(mirror: Mirror, done: Deployment, live: Deployment | None) -> list[tuple[str, datetime]]:
    """The commits that became live: those that the commit live before does not contain, merged branches included.

    The first deployment to an environment brings only its own commit: how long older ones waited is unknown.
    """
    try:
        return mirror.commit_times([done.sha], [live.sha] if live else mirror.existing(mirror.commit(done.sha).parents))
    except RepositoryError:  # A force-push took away what was live; the outcome must be recorded all the same.
        return []


@contextmanager
def recorded_when_it_fails(history: History, project: str, environment: str, sha: str) -> Iterator[None]:
    """Prepare an attempt: what keeps it from :func:`deploy` at all is recorded as its outcome, and raised."""
    started = datetime.now(UTC)
    try:
        yield
    except (ClusterUnavailableError, EngineUnavailableError):  # There is nowhere to deploy to: that is no attempt.
        raise
    except InfraAuditError as error:
        outcome = Outcome.INTERRUPTED if error.retryable else Outcome.FAILED
        words = f"{error} Nothing was changed."
        failed = Deployment(project, environment, sha, NOWHERE, outcome, started, datetime.now(UTC), reason=words)
        history.record_deployment(failed)
        raise
