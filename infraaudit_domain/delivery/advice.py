"""Which commit to go back to. Deliberately absent: reading the history, and going back."""

from collections.abc import Iterable
from dataclasses import dataclass

from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.scans.findings import Finding

TAKEN_BACK = "taken_back"
"""What became of a commit that was live until a rollback, by hand, put an older one in its place."""
_BAD = {Outcome.FAILED, Outcome.DEGRADED, Outcome.ROLLED_BACK, TAKEN_BACK}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commit older than what is live, which could be put in its place."""

    sha: str
    tests_green: bool
    has_image: bool
    returning: tuple[Finding, ...] | None
    """Open findings that it has and what is live has not, by their lifecycles; None where a scan of either is missing
    or not complete."""
    leaving: tuple[Finding, ...] | None = None
    """Open findings that what is live has and it has not."""
    outcomes: tuple[str, ...] = ()
    """What became of it in this environment, oldest first: outcomes of deployments, and TAKEN_BACK."""
    rejected: str = ""
    """Why somebody rejected it for good; empty where nobody has."""
    hours_live: float = 0.0
    """How long it has been live in this environment."""

    @property
    def against(self) -> tuple[str, ...]:
        """Why it is not advised; nothing where it may be."""
        bad = [outcome for outcome in dict.fromkeys(self.outcomes) if outcome in _BAD]
        number = len(self.returning or ())
        return (
            *((f"it was rejected: {self.rejected}",) if self.rejected else ()),
            *(f"it was {outcome.replace('_', ' ')} here" for outcome in bad),
            *(() if self.tests_green else ("its tests are not green",)),
            *(() if self.has_image else ("it has no image",)),
            *(("not known which findings would return",) if self.returning is None else ()),
            *((f"{number} finding{'' if number == 1 else 's'} would return",) if number else ()),
        )


def advise(newest_first: Iterable[Candidate]) -> Candidate | None:
    """The newest candidate with nothing against it; None is to fix forward.

    It was not rejected, never failed and was never rolled back in this environment, its tests are green, and no finding
    that has been fixed since would return with it.
    """
    return next((one for one in newest_first if not one.against), None)
