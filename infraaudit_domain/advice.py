"""Which commit to go back to. Deliberately absent: reading the history, and going back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infraaudit_domain.findings import Severity


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commit that could be live, with the results of its tests and its scan."""

    sha: str
    tests_green: bool
    has_image: bool
    open_findings: Mapping[Severity, int] | None
    """None where it was not scanned."""


def advise(live: Mapping[Severity, int] | None, newest_first: Iterable[Candidate]) -> Candidate | None:
    """The newest commit with green tests, an image, and no severity with more findings than what is live."""
    return next((one for one in newest_first if one.tests_green and one.has_image and _no_worse(one, live)), None)


def _no_worse(candidate: Candidate, live: Mapping[Severity, int] | None) -> bool:
    if candidate.open_findings is None:
        return False
    found, limit = candidate.open_findings, live or {}
    return live is None or all(found.get(severity, 0) <= limit.get(severity, 0) for severity in Severity)
