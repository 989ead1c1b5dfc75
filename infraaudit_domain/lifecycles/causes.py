"""Why a finding came or went: the code, or a scanner or configuration that says something else of the same code.

Where two commits were scanned under different scanners or configurations, the earlier one's files are scanned again
under the later one's (a cross scan): what that finds too was not caused by the code. Without one, whatever differs is
named as the possible cause. Deliberately absent: making cross scans (infraaudit/scans/cross_scanning.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infraaudit_domain.scans.evidence import RULES
from infraaudit_domain.scans.findings import Finding, FindingStatus

CODE, CONFIG, SCANNER = "code", "config", "scanner"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The scanner and configuration that a commit was scanned with."""

    scanner: str
    config: str
    rules: int = RULES
    """The version of our own rules for reading a scan; another one counts as another scanner."""

    def cause_against(self, before: "Circumstances") -> str:
        """What besides the code may explain a difference; a new scanner takes precedence over a new configuration."""
        if (before.scanner, before.rules) != (self.scanner, self.rules):
            return SCANNER
        return CONFIG if before.config != self.config else CODE


@dataclass(frozen=True, slots=True)
class Causes:
    """Judges each difference between two commits."""

    other: str
    """What differs besides the code; ``code`` where nothing does."""
    cross: Mapping[str, FindingStatus] | None = None
    """Status by fingerprint in the cross scan, under both the earlier and the later file names; None where there is
    none."""
    is_complete: bool = True
    """Whether the cross scan read everything, so that its silence means something."""

    def of_presence(self, fingerprint: str, status: FindingStatus) -> str:
        """Why a finding has this status now and was absent, or had another, before."""
        is_known = self.cross is not None and self.is_complete
        return CODE if is_known and not self.proves(fingerprint, status) else self.other

    def proves(self, fingerprint: str, status: FindingStatus) -> bool:
        """Whether the earlier files are known to have a finding in this status under the later circumstances."""
        return self.cross is not None and self.cross.get(fingerprint) == status

    def of_absence(self, fingerprint: str) -> str:
        """Why a finding of the earlier commit, under its earlier file name, is gone."""
        return CODE if self.cross is not None and fingerprint in self.cross else self.other


def causes(
    other: str, cross: Mapping[str, Finding] | None, renames: Mapping[str, str], is_complete: bool = True
) -> Causes:
    """``cross`` is what the cross scan found, by fingerprint; ``renames`` is new path by old."""
    if cross is None:
        return Causes(other)
    followed = (f.after(renames) for f in cross.values())
    return Causes(other, {f.fingerprint: f.status for f in (*cross.values(), *followed)}, is_complete)
