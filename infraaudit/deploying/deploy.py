"""Deploy a release to an environment, and roll back where it does not become healthy.

One deployment at a time for a project and environment, on this machine and, where the target is shared, across
machines. Deliberately absent: how a target applies manifests, and whether a commit may be deployed at all
(infraaudit_domain/judging/gate.py).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from infraaudit.deploying.alone import alone
from infraaudit.deploying.analysing import Analyser
from infraaudit.deploying.cut_off import note_killed, tidied
from infraaudit.deploying.holds import supersede_held
from infraaudit_domain.delivery.deployments import (
    IN_DOUBT,
    NOWHERE,
    TRIED,
    Deployment,
    Hold,
    Outcome,
    Release,
    Rollout,
    superseded_by,
)
from infraaudit_domain.delivery.rejections import Rejection
from infraaudit_domain.errors import (
    ClusterUnavailableError,
    EngineUnavailableError,
    InfraAuditError,
    RepositoryError,
)
from resources.git.mirror import Mirror
from resources.history.decisions.rejections import rejected
from resources.history.deployments import deployed, healthy_deployments, last_tried
from resources.history.store import History
from resources.targets.target import ReversibleTarget, Target

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
    lock = mirror.path.parent / f".deploy-{release.project}-{release.environment}.lock"
    attempt = _Attempt(target, release, history.live(release.project, release.environment))
    try:
        seconds = release.soak + (analyse.analysis.seconds if analyse else 0)
        with alone(target, release, lock, 2.5 * timeout + seconds + 60, on_progress):
            left = note_killed(history, release.project, release.environment)
            last = last_tried(history, release.project, release.environment, TRIED | IN_DOUBT)
            attempt = _begun(history, target, release, last)
            done = attempt.kept_out(rejected(history, release.project).get(release.sha), superseded, held)
            if done is None:
                history.record_deployment(attempt.ended(Outcome.RUNNING, "It is under way."))
                done = tidied(
                    target, left, attempt.carried_out(timeout, on_progress, analyse), attempt.live, on_progress
                )
            is_certain = last is None or last.outcome not in IN_DOUBT
            if done.outcome is Outcome.DEPLOYED and attempt.is_of_what_is_live and is_certain:
                done = replace(done, outcome=Outcome.UNCHANGED, reason=_UNCHANGED)
            brought = _brought(mirror, done, attempt.live) if done.outcome is Outcome.DEPLOYED else ()
            history.record_deployment(done, brought)
            if done.outcome is Outcome.DEPLOYED:
                supersede_held(history, mirror, done)
            return done
    except InfraAuditError as error:
        ended = attempt.ended(Outcome.INTERRUPTED if error.retryable else Outcome.FAILED, str(error))
        history.record_deployment(ended)
        if error.retryable:
            raise
        return ended


def in_order(history: History, mirror: Mirror, release: Release) -> Callable[[Deployment], str]:
    """The rule for automatic deployments: never to an older commit, and never against a manual rollback."""
    return lambda live: superseded_by(
        release.sha, healthy_deployments(history, release.project, release.environment), mirror.is_ancestor
    )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt to bring a release out."""

    target: Target
    release: Release
    live: Deployment | None
    in_part: bool = False
    """Whether the attempt before was cut off: what it has applied is in place beside what is live."""
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def is_of_what_is_live(self) -> bool:
        return self.live is not None and self.live.target == self.target.name and self.live.has(self.release)

    def kept_out(
        self, rejection: Rejection | None, superseded: Callable[[Deployment], str], held: Callable[[], Hold | None]
    ) -> Deployment | None:
        """The attempt, ended before it began; None where the release may go out. What is live is never kept out."""
        if self.is_of_what_is_live:
            return None
        if rejection is not None:
            return self.ended(Outcome.SKIPPED, str(rejection))
        if self.live is not None and not self.live.has(self.release) and (why := superseded(self.live)):
            return self.ended(Outcome.SUPERSEDED, why)
        hold = held()
        return self.ended(hold.outcome, hold.reason) if hold else None

    def carried_out(self, timeout: float, on_progress: Callable[[str], None], analyse: Analyser | None) -> Deployment:
        """The attempt, ended. Raises errors that a retry may fix."""
        on_progress(f"deploying {self.release.sha[:12]} to {self.target.describe()}")
        try:
            release = replace(self.release, is_live=self.is_of_what_is_live)
            rollout = self.target.deploy(release, timeout=timeout, on_progress=on_progress)
        except InfraAuditError as error:
            if error.retryable:
                raise
            # After a rejected login (an expired one) we can neither watch nor roll back.
            words = f"{error} Nothing was put back; run the commit again to take its rollout up."
            return self.ended(Outcome.FAILED, words)
        if rollout.healthy:
            measured = analyse(self.release, self.started, on_progress) if analyse and not release.is_live else ()
            words = "\n".join(filter(None, (rollout.reason, *map(str, measured))))
            if bad := sorted((one for one in measured if not one.passed), key=lambda one: one.value is None):
                return self._taken_back(f"its analysis failed: {bad[0]}\n{words}", timeout, on_progress)
            return self.ended(Outcome.DEPLOYED, words, rollout.url)
        if self.is_of_what_is_live or not (rollout.changed or self.in_part):
            return self.ended(Outcome.FAILED, rollout.reason)
        return self._taken_back(rollout.reason, timeout, on_progress)

    def _taken_back(self, reason: str, timeout: float, on_progress: Callable[[str], None]) -> Deployment:
        first, live = reason.splitlines()[0], self.live
        on_progress(f"not healthy ({first}); putting {live.sha[:12]} back" if live else f"not healthy ({first})")
        back = _put_back(self.target, self.release, live, timeout, on_progress)
        reason = "\n".join(filter(None, (reason, back.reason if back.healthy else "")))
        if live is None:
            left = "" if back.healthy else f"\nWhat it brought could not be removed: {back.reason}"
            return self.ended(Outcome.FAILED, reason + left)
        if back.healthy:
            return self.ended(Outcome.ROLLED_BACK, reason, back.url)
        return self.ended(Outcome.DEGRADED, f"{reason}\nThe rollback to {live.sha[:12]} failed too: {back.reason}")

    def ended(self, outcome: Outcome, reason: str = "", url: str | None = None) -> Deployment:
        release = self.release
        return Deployment(
            project=release.project,
            environment=release.environment,
            sha=release.sha,
            target=self.target.name,
            outcome=outcome,
            started_at=self.started,
            finished_at=datetime.now(UTC),
            image=release.image,
            manifests=release.manifests,
            replaced_sha=self.live.sha if self.live else None,
            reason=reason,
            url=url,
        )


def _put_back(
    target: Target, failed: Release, live: Deployment | None, timeout: float, on_progress: Callable[[str], None]
) -> Rollout:
    before = Release(live.project, live.environment, live.sha, live.image, live.manifests) if live else None
    try:
        if isinstance(target, ReversibleTarget):
            return target.put_back(failed, before, timeout=timeout, on_progress=on_progress)
        return target.deploy(before, timeout=timeout, on_progress=on_progress) if before else Rollout(True)
    except InfraAuditError as error:  # A blocked rollback is recorded, not retried.
        return Rollout(False, str(error))


def _begun(history: History, target: Target, release: Release, last: Deployment | None) -> _Attempt:
    """An attempt after the ``last``. It resumes one of its own commit that was cut off, unless that commit was ever
    healthy here: what bears its mark may then be of that time."""
    cut_off = last if last and last.outcome is Outcome.INTERRUPTED and last.target == target.name else None
    resumes = cut_off is not None and cut_off.sha == release.sha
    resumes = resumes and deployed(history, release.project, release.environment, release.sha) is None
    live = history.live(release.project, release.environment)
    return _Attempt(target, replace(release, resumes=resumes), live, in_part=cut_off is not None)


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
