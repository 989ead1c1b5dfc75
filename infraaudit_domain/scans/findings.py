"""Findings and scans as facts, and what makes two findings the same.

Deliberately absent: line numbers in the identity, so that a moved line is the same finding; running Checkov.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from infraaudit_domain.scans.evidence import RULES, Evidence
from infraaudit_domain.scans.renderings import as_rendered, rendered_by


class Severity(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"
    UNKNOWN = "unknown"


class FindingStatus(StrEnum):
    OPEN = "open"
    SUPPRESSED = "suppressed"
    """By the commit in a stored scan; by InfraAudit's own configuration too where it is read."""


class ScanStatus(StrEnum):
    COMPLETE = "complete"
    PARTIAL = "partial"
    """Some files could not be read: what was found counts, nothing is closed."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One failed (or suppressed) check of Checkov on one resource."""

    framework: str
    check_id: str
    check_name: str
    file_path: str
    """Relative to the repository's root, without a leading slash."""
    resource: str
    line_start: int
    line_end: int
    ordinal: int = 0
    """Its position among findings equal in framework, check, file and resource, in the order of lines."""
    status: FindingStatus = FindingStatus.OPEN
    suppression_reason: str = ""
    suppressed_by: str = ""
    """What of the commit hides it: inline (a comment) or configuration (its Checkov file); empty where it is open. Of a
    finding as it counts on a day also file or triage, where the project's owners decided so."""
    guideline: str = ""
    severity: Severity = Severity.UNKNOWN

    @property
    def is_open(self) -> bool:
        return self.status is FindingStatus.OPEN

    @property
    def fingerprint(self) -> str:
        """32 hex digits: the finding's identity across commits of a project."""
        identity = "\0".join((self.framework, self.check_id, self.file_path, self.resource, str(self.ordinal)))
        return hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def at(self, path: str) -> "Finding":
        """The same finding where its file has another path, which the text of some resources begins with."""
        if path == self.file_path:
            return self
        inside = self.resource.removeprefix(f"/{self.file_path}.")
        resource = self.resource if inside == self.resource else f"/{path}.{inside}"
        return replace(self, file_path=path, resource=resource)

    def after(self, renames: Mapping[str, str]) -> "Finding":
        """The same finding after files were renamed (new path by old): its own, or the one that renders its resource."""
        by = rendered_by(self.resource)
        renamed = self.at(renames.get(self.file_path, self.file_path))
        if by is None or by not in renames:
            return renamed
        plain = self.resource[: -len(as_rendered("", by))]
        return replace(renamed, resource=as_rendered(plain, renames[by]))


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file that a framework had to read and did not: a gap in its result."""

    path: str
    reason: str
    hidden_by: str = ""
    """What of the commit's configuration says to leave it out, or the scanner, which never opens it; such a gap does
    not make the scan partial."""
    part_of: str = ""
    """The file of the Helm chart whose templates are all unread for one reason."""
    check_id: str = ""
    """A check that gave no verdict on one resource of a file that was read. ``path`` names both then, so that it is no
    file's, and nothing else is in doubt."""


EVERY_RESOURCE = "every resource"


def crashed_check(path: str, resource: str, check_id: str, error: str) -> UnreadableFile:
    """The gap that a check leaves which raised on a resource.

    >>> crashed_check("pod.yaml", "Pod.default.web", "CKV_K8S_16", "KeyError: 'a'").path
    'pod.yaml: CKV_K8S_16 on Pod.default.web'
    """
    check_id = check_id or "a check"
    words = f"{path}: {check_id} on {resource}"[:1000]
    return UnreadableFile(words, f"the check broke and gave no verdict: {error}", check_id=check_id)


@dataclass(frozen=True, slots=True)
class FrameworkScan:
    """What one framework of Checkov said of one tree; shared by every commit with the same ``scan_key``."""

    framework: str
    scan_key: str
    """Digest of framework, what it would read, Checkov and dependency versions, and effective configuration."""
    status: ScanStatus
    findings: tuple[Finding, ...]
    unreadable: tuple[UnreadableFile, ...] = ()
    seconds: float = 0.0
    reason: str = ""
    """Why it is partial or failed."""
    evidence: Evidence | None = None
    """What the run proves beside its findings; None for a result that was stored under version 1 of the rules."""
    reused: bool = False
    """Whether the stored result of an equal ``scan_key`` was taken instead of running Checkov."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What Checkov said of one commit."""

    sha: str
    frameworks: tuple[FrameworkScan, ...]
    scanner_version: str
    config_digest: str
    started_at: datetime
    seconds: float
    warnings: tuple[str, ...] = ()
    """Keys of the commit's Checkov configuration that were not honoured, and why."""
    rules: int = RULES
    """The version of our own rules under which it was read."""

    @property
    def status(self) -> ScanStatus:
        states = {scan.status for scan in self.frameworks}
        if not states or states == {ScanStatus.FAILED}:
            return ScanStatus.FAILED
        return ScanStatus.COMPLETE if states == {ScanStatus.COMPLETE} else ScanStatus.PARTIAL

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for scan in self.frameworks for finding in scan.findings)
