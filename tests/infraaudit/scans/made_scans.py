"""Findings and scans as a runner would record them, and the part of Git that lifecycles need, without Git."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

from infraaudit_domain.commits import ChangedFile
from infraaudit_domain.scans.evidence import EVERY_FILE
from infraaudit_domain.scans.findings import (
    Finding,
    FindingStatus,
    FrameworkScan,
    Scan,
    ScanStatus,
    Severity,
    UnreadableFile,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class PretendMirror:
    """The part of Git that lifecycles need: one branch and the renames between neighbours."""

    line: list[str]
    moved: dict[str, dict[str, str]] = field(default_factory=dict)

    def read(self, sha: str, path: str, limit: int = 0) -> bytes | None:
        return None  # no commit has a Checkov configuration

    def branches(self) -> dict[str, str]:
        return {"main": self.line[-1]}

    def existing(self, shas: list[str]) -> list[str]:
        return []  # what a force-push replaced is on no branch

    def first_parents(self, sha: str, limit: int | None = None) -> list[str]:
        return self.line[: self.line.index(sha) + 1]

    def parents(self, shas: list[str]) -> dict[str, tuple[str, ...]]:
        return {sha: tuple(self.line[max(0, at - 1) : at]) for sha in shas for at in [self.line.index(sha)]}

    def changed_files(self, sha: str) -> tuple[ChangedFile, ...]:
        return ()

    def differing_files(self, parent: str, sha: str) -> tuple[ChangedFile, ...]:
        return ()

    def renames(self, parent: str, sha: str) -> dict[str, str]:
        old = self.line.index(parent)
        paths: dict[str, str] = {}
        for commit in self.line[old + 1 : self.line.index(sha) + 1]:
            step = self.moved.get(commit, {})
            paths = {before: step.get(then, then) for before, then in paths.items()} | {
                before: then for before, then in step.items() if before not in paths.values()
            }
        return {before: then for before, then in paths.items() if before != then}


def finding(resource: str, path: str = "main.tf", status: str = "open") -> Finding:
    return Finding(
        "terraform", "CKV_1", "n", path, resource, 1, 4, status=FindingStatus(status), severity=Severity.HIGH
    )


def scan(sha: str, findings: list[Finding], status: ScanStatus = ScanStatus.COMPLETE, version: str = "3") -> Scan:
    key = f"{status} {sorted((f.fingerprint, f.status.value) for f in findings)} {version}"
    gaps = (UnreadableFile(EVERY_FILE, "not read"),) if status is ScanStatus.PARTIAL else ()
    part = FrameworkScan("terraform", hashlib.sha256(key.encode()).hexdigest(), status, tuple(findings), gaps)
    return Scan(sha, (part,), version, "c", NOW, 1.0)
