"""Findings of a commit in formats that other tools read: SARIF 2.1.0 (GitHub code scanning) and CycloneDX 1.5.

A suppressed finding is exported as suppressed, not left out. Both are written as plain dicts, which the tests validate
against the published schemas: of CycloneDX's library only output would be used, which takes 30 times as long and adds
a random serial number and a timestamp, so that the same commit would never export the same bytes. Deliberately
absent: which findings, and writing anywhere.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote

from infraaudit_domain.scans.findings import Finding, Severity

_LEVEL = {
    Severity.CRITICAL: ("error", "9.5"),
    Severity.HIGH: ("error", "8.0"),
    Severity.MEDIUM: ("warning", "5.5"),
    Severity.LOW: ("note", "3.0"),
    Severity.INFO: ("note", "0.5"),
    Severity.UNKNOWN: ("warning", "5.0"),
}
"""SARIF's level, and the score by which GitHub sorts; unknown is never shown as low."""


def sarif(
    findings: Sequence[Finding], repository: str, sha: str, version: str, outside: Collection[str] = ()
) -> dict[str, Any]:
    """A SARIF log with one run; ``outside`` are the fingerprints that are not suppressed in the code itself."""
    checks = {finding.check_id: finding for finding in findings}
    order = {check: index for index, check in enumerate(sorted(checks))}
    driver = {
        "name": "Checkov via InfraAudit",
        "version": version,
        "informationUri": "https://www.checkov.io",
        "rules": [_rule(checks[check]) for check in order],
    }
    run = {
        "tool": {"driver": driver},
        "versionControlProvenance": [{"repositoryUri": _uri(repository), "revisionId": sha}],
        "columnKind": "utf16CodeUnits",
        "results": [
            _result(f, order[f.check_id], "external" if f.fingerprint in outside else "inSource") for f in findings
        ],
    }
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def cyclonedx(findings: Sequence[Finding], project: str, sha: str) -> dict[str, Any]:
    """A CycloneDX document: the files as components, the findings as vulnerabilities that affect them."""
    files = sorted({finding.file_path for finding in findings})
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": project, "name": project, "version": sha}},
        "components": [{"type": "file", "bom-ref": _reference(path), "name": _readable(path)} for path in files],
        "vulnerabilities": [_vulnerability(finding) for finding in findings],
    }


def _rule(finding: Finding) -> dict[str, Any]:
    level, score = _LEVEL[finding.severity]
    rule: dict[str, Any] = {
        "id": finding.check_id,
        "name": finding.check_name or finding.check_id,
        "shortDescription": {"text": finding.check_name or finding.check_id},
        "defaultConfiguration": {"level": level},
        "properties": {"security-severity": score, "tags": ["security", finding.framework]},
    }
    return rule | ({"helpUri": finding.guideline} if finding.guideline.startswith("https://") else {})


def _result(finding: Finding, rule: int, kind: str) -> dict[str, Any]:
    start = max(finding.line_start, 1)
    result: dict[str, Any] = {
        "ruleId": finding.check_id,
        "ruleIndex": rule,
        "level": _LEVEL[finding.severity][0],
        "message": {"text": f"{finding.check_name or finding.check_id} ({finding.resource})"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _path(finding.file_path), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": start, "endLine": max(finding.line_end, start)},
                }
            }
        ],
        "partialFingerprints": {"infraauditFinding/v1": finding.fingerprint},
    }
    if not finding.is_open:
        result["suppressions"] = [{"kind": kind, "justification": finding.suppression_reason}]
    return result


def _vulnerability(finding: Finding) -> dict[str, Any]:
    suppressed = {"state": "not_affected", "detail": finding.suppression_reason or "suppressed without a reason"}
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


def _path(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"))


def _uri(repository: str) -> str:
    scheme, separator, rest = repository.partition("://")
    if not separator:
        return f"file://{_path(repository)}"
    host, slash, path = rest.partition("/")
    # A URL may hold a password or token, which must not leave with a report.
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
