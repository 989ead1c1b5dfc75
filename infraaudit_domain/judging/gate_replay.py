"""The deployments of an environment played again under another gate.

A deployment that the gate stops never becomes live: what was let through before it stays, until the next one that is
let through. Deliberately absent: what people would have done instead, and deployments that the gate of then had
stopped already: nobody knows how they would have ended.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from infraaudit_domain.delivery.deployments import TRIED, Deployment, Order, Outcome
from infraaudit_domain.delivery.least_exposure import finding_hours
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.scans.findings import Severity

OpenFindings = Mapping[str, Severity]
"""The open findings of a commit: severity by lifecycle."""
Judge = Callable[[Deployment, str | None], Verdict | None]
"""Judges a deployment, at its own time, against the commit that would have been live; None where it cannot."""


class Replayed(StrEnum):
    STOPPED = "stopped"
    PASSED = "passed"
    NOT_JUDGED = "not judged"
    """A rollback to what was healthy before, which no gate judges, or a commit that would have been live already."""
    NOT_KNOWN = "not known"
    """The commit is no longer on the branch; it is taken to have gone as it did."""


@dataclass(frozen=True, slots=True)
class Played:
    """One deployment as it would have gone."""

    deployment: Deployment
    verdict: Replayed
    reasons: tuple[str, ...] = ()
    instead: str | None = None
    """What would have stayed live where it was stopped; None for nothing."""
    hours: float = 0.0
    """How long it was live, where it would not have been."""
    saved: Counter[Severity] | None = None
    """Finding-hours that its stop would have saved, in hours; None where they are not known."""
    added: Counter[Severity] | None = None
    """Finding-hours of what it had fixed and would have stayed live."""

    @property
    def for_nothing(self) -> bool:
        """Whether a deployment that became healthy would have been stopped, and no exposure saved."""
        was_live = self.deployment.outcome is Outcome.DEPLOYED
        return self.verdict is Replayed.STOPPED and was_live and self.saved is not None and not self.saved.total()


def replay(
    attempts: Sequence[Deployment],
    positions: Mapping[str, int],
    judge: Judge,
    standing: Callable[[str], OpenFindings | None],
    now: datetime,
    since: datetime | None = None,
) -> list[Played]:
    """Every deployment that was tried, oldest first, as are ``attempts``; those before ``since`` went as they did.

    ``standing`` is None for a commit without a usable scan.
    """
    tried = [one for one in attempts if one.outcome in TRIED]
    order, live, healthy = Order(positions), None, set[str]()
    played: list[Played] = []
    for one, end in zip(tried, _ends(tried, now), strict=True):
        verdict, reasons = Replayed.NOT_JUDGED, tuple[str, ...]()
        is_back = one.sha in healthy and order.goes_back(one.sha, live)
        if not (one.sha == live or is_back or (since is not None and one.started_at < since)):
            verdict, reasons = _judged(judge(one, live))
        if verdict is Replayed.STOPPED:
            played.append(_stopped(one, end, live, reasons, standing))
            continue
        played.append(Played(one, verdict))
        if one.outcome is Outcome.DEPLOYED:
            live = one.sha
            healthy.add(one.sha)
            order.note_healthy(one.sha)
    return played


def _judged(verdict: Verdict | None) -> tuple[Replayed, tuple[str, ...]]:
    if verdict is None:
        return Replayed.NOT_KNOWN, ()
    return (Replayed.PASSED if verdict.passed else Replayed.STOPPED), verdict.reasons


def _ends(tried: Sequence[Deployment], now: datetime) -> Iterator[datetime]:
    """Until when each would have been live, had it become healthy: until the next one that did."""
    end, ends = now, list[datetime]()
    for one in reversed(tried):
        ends.append(end)
        end = one.finished_at if one.outcome is Outcome.DEPLOYED else end
    return reversed(ends)


def _stopped(
    one: Deployment,
    end: datetime,
    live: str | None,
    reasons: tuple[str, ...],
    standing: Callable[[str], OpenFindings | None],
) -> Played:
    if one.outcome is not Outcome.DEPLOYED:
        nothing = Counter[Severity]()
        return Played(one, Replayed.STOPPED, reasons, live, 0.0, nothing, nothing)
    hours = max(0.0, (end - one.finished_at).total_seconds() / 3600)
    there, instead = standing(one.sha), standing(live) if live else {}
    if there is None or instead is None:
        return Played(one, Replayed.STOPPED, reasons, live, hours)
    saved = finding_hours((severity for life, severity in there.items() if life not in instead), hours)
    added = finding_hours((severity for life, severity in instead.items() if life not in there), hours)
    return Played(one, Replayed.STOPPED, reasons, live, hours, saved, added)
