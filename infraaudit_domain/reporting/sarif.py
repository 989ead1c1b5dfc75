"""Findings of a commit as SARIF 2.1.0, in the form and within the limits of GitHub's code scanning.

https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
A suppressed finding is exported as suppressed, not left out; what the scan did not read is a notification. Deliberately
absent: which findings and in which order, reading the code, and writing anywhere.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from infraaudit_domain.errors import excerpt
from infraaudit_domain.reporting.remedies import NO_REMEDIES, Remedies
from infraaudit_domain.scans.evidence import EVERY_FILE
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus, Severity, UnreadableFile

MOST_RESULTS = 25_000
MOST_RUNS = 20
_LONGEST_TEXT = 1000
_LEVEL = {
    Severity.CRITICAL: ("error", "9.5"),
    Severity.HIGH: ("error", "8.0"),
    Severity.MEDIUM: ("warning", "5.5"),
    Severity.LOW: ("note", "3.0"),
    Severity.INFO: ("note", "0.5"),
    Severity.UNKNOWN: ("warning", "5.0"),
}
"""SARIF's level, and the score by which GitHub sorts; unknown is never shown as low."""
_SCP = re.compile(r"(?:[^@/\s]+@)?([^@/:\s]+):(?!//)(?!\d+/)(.+)")
"""git@host:path, as ssh and scp write it."""
_PORT = re.compile(r":\d*$")
_SECURE = {"ssh", "git+ssh", "ssh+git", "git", "git+https"}


def sarif(
    findings: Sequence[Finding],
    scan: Scan,
    project: str,
    repository: str,
    outside: Collection[str] = (),
    remedies: Remedies = NO_REMEDIES,
    code: Callable[[Finding], Sequence[tuple[int, str]]] = lambda _: (),
) -> dict[str, Any]:
    """A SARIF log of a scan's findings, in one run for every 25,000; the order decides which ones a reader keeps.

    ``outside`` are the fingerprints that are not suppressed in the code itself; ``code`` gives the lines of a finding.
    """
    parts = [findings[at : at + MOST_RESULTS] for at in range(0, len(findings), MOST_RESULTS)][:MOST_RUNS] or [()]
    left_out = len(findings) - sum(map(len, parts))
    invocation = _invocation(scan, left_out)
    runs = [
        {
            "tool": {"driver": _driver(part, scan.scanner_version, remedies)},
            "automationDetails": {"id": _category(project, number) + scan.sha},
            "versionControlProvenance": [{"repositoryUri": repository_uri(repository), "revisionId": scan.sha}],
            "invocations": [invocation],
            "columnKind": "utf16CodeUnits",
            "results": [*_results(part, outside, code)],
        }
        for number, part in enumerate(parts, 1)
    ]
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": runs}


def repository_uri(repository: str) -> str:
    """The address of a repository for a reader's browser: https where it is reached by ssh, and never a password."""
    scheme, separator, rest = repository.partition("://")
    if separator:
        host, slash, path = rest.partition("/")
        host = host.rpartition("@")[2]
        if scheme.lower() in _SECURE:
            scheme, host = "https", _PORT.sub("", host)
        return f"{scheme}://{host}{slash}{quote(path, safe='/%~+')}"
    if found := _SCP.fullmatch(repository):
        return f"https://{found[1]}/{_path(found[2].lstrip('/'))}"
    return f"file://{_path(repository)}"


def _category(project: str, number: int) -> str:
    """What GitHub compares an upload with: the last one of the same category, which ends at the last slash."""
    return f"infraaudit/{project}/" + (f"part-{number}/" if number > 1 else "")


def _driver(findings: Sequence[Finding], version: str, remedies: Remedies) -> dict[str, Any]:
    return {
        "name": "Checkov via InfraAudit",
        "version": version,
        "informationUri": "https://www.checkov.io",
        "rules": [_rule(finding, remedies) for finding in _checks(findings).values()],
    }


def _checks(findings: Sequence[Finding]) -> dict[str, Finding]:
    """A finding of each check, in the order of the rules."""
    return dict(sorted({finding.check_id: finding for finding in findings}.items()))


def _rule(finding: Finding, remedies: Remedies) -> dict[str, Any]:
    level, score = _LEVEL[finding.severity]
    remedy = remedies.of(finding.check_id, finding.guideline)
    text = excerpt(finding.check_name, _LONGEST_TEXT) or finding.check_id
    rule: dict[str, Any] = {
        "id": finding.check_id,
        "name": excerpt(text, 250),
        "shortDescription": {"text": text},
        "fullDescription": {"text": text},
        "help": {"text": " ".join(filter(None, (f"{text}.", remedy.text, remedy.link)))},
        "defaultConfiguration": {"level": level},
        "properties": {"security-severity": score, "tags": ["security", finding.framework]},
    }
    return rule | ({"helpUri": remedy.link} if remedy.link.startswith("https://") else {})


def _results(
    findings: Sequence[Finding], outside: Collection[str], code: Callable[[Finding], Sequence[tuple[int, str]]]
) -> Iterator[dict[str, Any]]:
    order = {check: index for index, check in enumerate(_checks(findings))}
    for finding in findings:
        result = {
            "ruleId": finding.check_id,
            "ruleIndex": order[finding.check_id],
            "level": _LEVEL[finding.severity][0],
            "message": {
                "text": excerpt(f"{finding.check_name or finding.check_id} ({finding.resource})", _LONGEST_TEXT)
            },
            "locations": [_location(finding.file_path, finding.line_start, finding.line_end, code(finding))],
            # The second is what GitHub matches by; of an own making, it need not read the code.
            "partialFingerprints": {
                "infraauditFinding/v1": finding.fingerprint,
                "primaryLocationLineHash": f"{finding.fingerprint}:1",
            },
        }
        if not finding.is_open:
            kind = "external" if finding.fingerprint in outside else "inSource"
            result["suppressions"] = [{"kind": kind, "justification": finding.suppression_reason}]
        yield result


def _invocation(scan: Scan, left_out: int) -> dict[str, Any]:
    notes = [note for part in scan.frameworks for note in _notifications(part)]
    if left_out:
        limit = f"a log has {MOST_RUNS} runs of {MOST_RESULTS} results"
        notes.append(_notification("error", f"{left_out} findings, the least severe, are not in this log: {limit}"))
    return {
        "executionSuccessful": all(part.status is not ScanStatus.FAILED for part in scan.frameworks) and not left_out,
        "startTimeUtc": scan.started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "toolExecutionNotifications": notes,
    }


def _notifications(part: FrameworkScan) -> Iterator[dict[str, Any]]:
    if part.status is ScanStatus.FAILED:
        yield _notification("error", f"{part.framework} failed: {part.reason or 'no reason is known'}")
    for gap in part.unreadable:
        yield _of_gap(part.framework, gap)


def _of_gap(framework: str, gap: UnreadableFile) -> dict[str, Any]:
    if gap.check_id:
        return _notification("warning", f"{framework}: {gap.path}: {gap.reason}")
    if gap.path == EVERY_FILE:
        return _notification("warning", f"{framework}: {gap.reason}")
    hidden = f", hidden by {gap.hidden_by}" if gap.hidden_by else ""
    note = _notification("note" if hidden else "warning", f"{framework} did not read this file{hidden}: {gap.reason}")
    return note | {"locations": [_location(gap.path)]}


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": excerpt(text, _LONGEST_TEXT)}}


def _location(path: str, first: int = 1, last: int = 1, code: Sequence[tuple[int, str]] = ()) -> dict[str, Any]:
    start = max(first, 1)
    region: dict[str, Any] = {"startLine": start, "endLine": max(last, start)}
    if code:
        region["snippet"] = {"text": "\n".join(line for _, line in code)}
    return {"physicalLocation": {"artifactLocation": {"uri": _path(path), "uriBaseId": "%SRCROOT%"}, "region": region}}


def _path(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"))
