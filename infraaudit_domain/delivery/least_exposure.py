"""Ways back in the order of what they would expose: findings that would return against those that would leave.

An hour with an open finding is a finding-hour. Worse severities decide first. Deliberately absent: advising one (advice.py):
a commit that exposes least may have failed here, or have red tests.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from infraaudit_domain.delivery.advice import Candidate
from infraaudit_domain.scans.findings import Finding, Severity


@dataclass(frozen=True, slots=True)
class Exposure:
    """What going back to a candidate, and staying there for some hours, comes to, in finding-hours by severity."""

    candidate: Candidate
    hours: float
    returned: Counter[Severity] | None
    """None where it is not known which findings would return."""
    avoided: Counter[Severity] | None

    @property
    def is_known(self) -> bool:
        return self.returned is not None and self.avoided is not None

    @property
    def net(self) -> tuple[float, ...]:
        """Returned without avoided, the worst severity first."""
        returned, avoided = self.returned or Counter(), self.avoided or Counter()
        return tuple(returned[severity] - avoided[severity] for severity in Severity)


def least_first(candidates: Iterable[Candidate], hours: float) -> list[Exposure]:
    """Every candidate, what exposes least first; equal ones in the order given, unknown ones last."""
    found = [Exposure(one, hours, _hours_of(one.returning, hours), _hours_of(one.leaving, hours)) for one in candidates]
    return sorted(found, key=lambda one: (not one.is_known, one.net))


def finding_hours(severities: Iterable[Severity], hours: float) -> Counter[Severity]:
    """What findings of these severities come to in some hours."""
    return Counter({severity: number * hours for severity, number in Counter(severities).items()})


def _hours_of(findings: Sequence[Finding] | None, hours: float) -> Counter[Severity] | None:
    return None if findings is None else finding_hours((one.severity for one in findings), hours)
