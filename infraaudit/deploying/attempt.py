"""One attempt to bring a release out, and the way back where it does not become healthy or is not taken up again.

Deliberately absent: the lock, the record, and the rules that may keep it out (deploy.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from infraaudit.deploying.analysing import Analyser
from infraaudit.deploying.cut_off import release_of, tidied
from infraaudit_domain.delivery.analysis import Measured
from infraaudit_domain.delivery.deployments import Deployment, Hold, Outcome, Release, Rollout
from infraaudit_domain.delivery.rejections import Rejection
from infraaudit_domain.errors import InfraAuditError
from resources.history.deployments import deployed
from resources.history.store import History
from resources.targets.target import ReversibleTarget, Target


@dataclass(frozen=True, slots=True)
class Attempt:
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

    def carried_out(
        self,
        timeout: float,
        on_progress: Callable[[str], None],
        analyse: Analyser | None,
        record: Callable[[Deployment], None],
    ) -> Deployment:
        """The attempt, ended; ``record`` is given where it answers before it is measured. Raises errors that a retry
        may fix."""
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
            measured = analyse if not release.is_live else None
            return self._measured(measured, rollout, timeout, on_progress, record)
        if self.is_of_what_is_live or not (rollout.changed or self.in_part):
            return self.ended(Outcome.FAILED, rollout.reason)
        return self._taken_back(rollout.reason, timeout, on_progress)

    def _measured(
        self,
        analyse: Analyser | None,
        rollout: Rollout,
        timeout: float,
        on_progress: Callable[[str], None],
        record: Callable[[Deployment], None],
    ) -> Deployment:
        """The attempt, ended, once a release that is healthy is measured."""
        found: tuple[Measured, ...] = ()
        if analyse is not None:
            record(self.ended(Outcome.RUNNING, "It is healthy, and is measured.", rollout.url))
            try:
                found = analyse(self.release, self.started, on_progress)
            except InfraAuditError as error:
                if error.retryable:
                    raise
                # What could not be measured has not passed.
                return self._taken_back(f"its analysis failed: {error}", timeout, on_progress)
        words = "\n".join(filter(None, (rollout.reason, *map(str, found))))
        if bad := sorted((one for one in found if not one.passed), key=lambda one: one.value is None):
            return self._taken_back(f"its analysis failed: {bad[0]}\n{words}", timeout, on_progress)
        return self.ended(Outcome.DEPLOYED, words, rollout.url)

    def cleared(
        self, kept: Deployment, left: Sequence[Deployment], timeout: float, on_progress: Callable[[str], None]
    ) -> Deployment:
        """An attempt that was kept out, once what is live is back in place of what those before it left in part. Raises
        errors that a retry may fix."""
        mine = (one for one in reversed(left) if one.target == self.target.name and one.manifests)
        cut = next((one for one in mine if one.outcome is Outcome.INTERRUPTED), None)
        if cut is None:
            return kept
        to = f"{self.live.sha[:12]} is put back" if self.live else "what it made is removed"
        on_progress(f"{cut.sha[:12]} was cut off, and is not taken up: {to}")
        try:
            back = _restored(self.target, release_of(cut), self.live, timeout, on_progress)
        except InfraAuditError as error:
            if error.retryable:
                raise
            back = Rollout(False, str(error))
        if back.healthy or self.live is None:
            words = f"{cut.sha[:12]} had been cut off: {to}"
            kept = replace(kept, reason="\n".join(filter(None, (kept.reason, words, back.reason))))
            return tidied(self.target, left, kept, self.live, on_progress)
        words = f"{cut.sha[:12]} had been cut off, and the rollback to {self.live.sha[:12]} failed: {back.reason}"
        return replace(kept, outcome=Outcome.DEGRADED, reason=f"{words}\n{kept.reason}")

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
    try:
        return _restored(target, failed, live, timeout, on_progress)
    except InfraAuditError as error:  # A blocked rollback is recorded, not retried.
        return Rollout(False, str(error))


def _restored(
    target: Target, failed: Release, live: Deployment | None, timeout: float, on_progress: Callable[[str], None]
) -> Rollout:
    before = release_of(live) if live else None
    if isinstance(target, ReversibleTarget):
        return target.put_back(failed, before, timeout=timeout, on_progress=on_progress)
    return target.deploy(before, timeout=timeout, on_progress=on_progress) if before else Rollout(True)


def begun(history: History, target: Target, release: Release, last: Deployment | None) -> Attempt:
    """An attempt after the ``last``. It resumes one of its own commit that was cut off, unless that commit was ever
    healthy here: what bears its mark may then be of that time."""
    cut_off = last if last and last.outcome is Outcome.INTERRUPTED and last.target == target.name else None
    resumes = cut_off is not None and cut_off.sha == release.sha
    resumes = resumes and deployed(history, release.project, release.environment, release.sha) is None
    live = history.live(release.project, release.environment)
    return Attempt(target, replace(release, resumes=resumes), live, in_part=cut_off is not None)
