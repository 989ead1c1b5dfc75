"""Findings of a commit as a CycloneDX 1.5 document.

Written as a plain dict, which the tests validate against the published schema: of CycloneDX's library only output would
be used, which takes 30 times as long and adds a random serial number and a timestamp, so that the same commit would
never export the same bytes. Deliberately absent: which findings, and writing anywhere.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

from infraaudit_domain.scans.findings import Finding


def cyclonedx(findings: Sequence[Finding], project: str, sha: str, wrong: Collection[str] = ()) -> dict[str, Any]:
    """The files as components, the findings as vulnerabilities that affect them; ``wrong`` are the ids of false positives."""
    files = sorted({finding.file_path for finding in findings})
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": project, "name": project, "version": sha}},
        "components": [{"type": "file", "bom-ref": _reference(path), "name": _readable(path)} for path in files],
        "vulnerabilities": [_vulnerability(finding, finding.fingerprint in wrong) for finding in findings],
    }


def _vulnerability(finding: Finding, is_wrong: bool) -> dict[str, Any]:
    state = "false_positive" if is_wrong else "not_affected"
    suppressed = {"state": state, "detail": finding.suppression_reason or "suppressed without a reason"}
    return {
        "bom-ref": finding.fingerprint,
        "id": finding.check_id,
        "source": {"name": "Checkov"},
        "ratings": [{"severity": finding.severity.value, "method": "other"}],
        "description": finding.check_name,
        "detail": f"{finding.resource}, lines {finding.line_start} to {finding.line_end}",
        "analysis": {"state": "in_triage"} if finding.is_open else suppressed,
        "affects": [{"ref": _reference(finding.file_path)}],
    }


def _reference(path: str) -> str:
    return f"file-{hashlib.sha256(path.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


def _readable(path: str) -> str:
    """A file's name without the bytes that are no UTF-8, which no JSON may hold."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
