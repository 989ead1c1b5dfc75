"""Why a finding came or went: the code, or a scanner or configuration that says something else of the same code.

Two commits that were scanned under different scanners or configurations are told apart by scanning the earlier one's
files under the later one's scanner and configuration (a cross scan): what that finds too is not of the code's doing.
Without one, all that differs is named as a possible cause. Deliberately absent: making cross scans
(resources/cross_scans.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from infraaudit_domain.evidence import RULES
from infraaudit_domain.findings import Finding

CODE, CONFIG, SCANNER = "code", "config", "scanner"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Under which scanner and configuration a commit was scanned."""

    scanner: str
    config: str
    rules: int = RULES
    """The version of our own rules for reading a scan; another one counts as another scanner."""

    def cause_against(self, before: "Circumstances") -> str:
        """What else than code may be why findings differ; a new scanner counts before a new configuration."""
        if (before.scanner, before.rules) != (self.scanner, self.rules):
            return SCANNER
        return CONFIG if before.config != self.config else CODE


@dataclass(frozen=True, slots=True)
class Causes:
    """Judges each difference between two commits."""

    other: str
    """What differs beside the code; code where nothing does."""
    cross: Mapping[str, str] | None = None
    """Status by fingerprint in the cross scan, under the earlier and the later names of files; None for want of one."""

    def of_presence(self, fingerprint: str, status: str) -> str:
        """Why a finding is there (in this status) now, and was not before."""
        return self.other if self.cross is None or self.cross.get(fingerprint) == status else CODE

    def of_absence(self, fingerprint: str) -> str:
        """Why a finding that was there before, under its earlier name, is not there now."""
        return CODE if self.cross is not None and fingerprint in self.cross else self.other


def causes(other: str, cross: Mapping[str, Finding] | None, renames: Mapping[str, str]) -> Causes:
    """``cross`` is what the cross scan found, by fingerprint; ``renames`` is new path by old."""
    if cross is None:
        return Causes(other)
    followed = (replace(f, file_path=renames.get(f.file_path, f.file_path)) for f in cross.values())
    return Causes(other, {f.fingerprint: f.status for f in (*cross.values(), *followed)})
