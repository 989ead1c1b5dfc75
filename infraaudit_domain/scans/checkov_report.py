"""Convert Checkov's report to findings: shapes, paths, order, secrets.

Deliberately absent: running Checkov, and Checkov's own severities, which it has only with an API key. Code blocks are
never copied: they show the first characters of a secret.
"""

import hashlib
import hmac
import json
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from infraaudit_domain.errors import ScanError, excerpt
from infraaudit_domain.scans.evidence import EVERY_FILE
from infraaudit_domain.scans.findings import (
    EVERY_RESOURCE,
    Finding,
    FindingStatus,
    UnreadableFile,
    crashed_check,
)

SECRETS = "secrets"
_TEXT_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Proven:
    """What a framework's run proves, by file; paths and resources as in findings."""

    read: Mapping[str, Sequence[int | str] | None] = field(default_factory=dict)
    """Lines on which what was read begins, or names of it; None for all of the file."""
    passed: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    undecided: Mapping[str, frozenset[str]] = field(default_factory=dict)
    crossing: frozenset[str] = frozenset()
    """Checks that look at several files at once."""
    broke: Mapping[str, str] = field(default_factory=dict)
    """Files that a check broke on, with the error."""
    crashed: tuple[UnreadableFile, ...] = ()
    """Checks that raised on one resource and gave no verdict there."""


@dataclass(frozen=True, slots=True)
class FrameworkReport:
    """What one framework said: findings without severity, and the files that it could not parse."""

    framework: str
    findings: tuple[Finding, ...]
    unreadable: tuple[UnreadableFile, ...] = ()


def read_proof(framework: str, document: Mapping[str, Any], root: str, secret_key: bytes) -> Proven:
    """What a framework's run proves, as the child reports it, with the names that findings have."""
    passed: dict[str, dict[str, frozenset[str]]] = {}
    for path, resources in document.get("passed", {}).items():
        known = passed.setdefault(relative_path(path, root), {})
        for resource, checks in resources.items():
            name = _resource(framework, resource, root, secret_key)
            known[name] = known.get(name, frozenset()) | frozenset(checks)
    undecided: dict[str, frozenset[str]] = {}
    for path, checks in document.get("undecided", {}).items():
        name = relative_path(path, root)
        undecided[name] = undecided.get(name, frozenset()) | frozenset(checks)
    read = {relative_path(path, root): parts for path, parts in document.get("read", {}).items()}
    broke = {relative_path(path, root): error for path, error in document.get("broke", {}).items()}
    crashed = tuple(_crash(framework, crash, root, secret_key) for crash in document.get("crashed", ()))
    return Proven(read, passed, undecided, frozenset(document.get("crossing", ())), broke, crashed)


def _crash(framework: str, crash: Sequence[str], root: str, secret_key: bytes) -> UnreadableFile:
    path, name, check_id, error = crash
    resource = _resource(framework, name, root, secret_key) if name else EVERY_RESOURCE
    return crashed_check(relative_path(path, root) if path else EVERY_FILE, resource, check_id, excerpt(error, 300))


def parse_report(text: str, root: str, secret_key: bytes) -> tuple[FrameworkReport, ...]:
    """Read Checkov's JSON for a scan of the folder ``root``; text printed before it is skipped.

    Checkov prints a dict for one framework, a list for several and a summary without ``check_type`` when nothing
    was scanned. ``secret_key`` keys the digest that stands for a secret. Raises ScanError for any other shape.
    """
    return read_reports(_json_of(text), root, secret_key)


def read_reports(document: Any, root: str, secret_key: bytes) -> tuple[FrameworkReport, ...]:
    """The same for a document that is parsed already. Raises ScanError."""
    sections = document if isinstance(document, list) else [document]
    if not all(isinstance(section, dict) for section in sections):
        raise ScanError("Checkov's report is neither an object nor a list of objects; is its version supported?")
    reports = [_read_section(section, root, secret_key) for section in sections if not _is_empty_summary(section)]
    return tuple(sorted(_merge(reports), key=lambda report: report.framework))


def _json_of(text: str) -> Any:
    decoder = json.JSONDecoder()
    starts = [0] if text[:1] in ("{", "[") else []
    starts += [at + 1 for at in range(len(text) - 1) if text[at] == "\n" and text[at + 1] in "{["]
    for start in starts:
        try:
            document, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if not text[end:].strip():
            return document
    raise ScanError(f"Checkov printed no complete JSON report. The end of its output: {excerpt(text, 300) or 'none'}")


def _is_empty_summary(section: Mapping[str, Any]) -> bool:
    return "check_type" not in section and {"passed", "failed", "skipped"} <= section.keys()


def _read_section(section: Mapping[str, Any], root: str, secret_key: bytes) -> FrameworkReport:
    framework, results = section.get("check_type"), section.get("results")
    if not isinstance(framework, str) or not isinstance(results, dict):
        raise ScanError("A section of Checkov's report has no framework or no results; is its version supported?")
    records = [(FindingStatus.OPEN, record) for record in results.get("failed_checks") or ()]
    records += [(FindingStatus.SUPPRESSED, record) for record in results.get("skipped_checks") or ()]
    findings = [_read_record(framework, status, record, root, secret_key) for status, record in records]
    unreadable = {relative_path(str(path), root) for path in results.get("parsing_errors") or ()}
    return FrameworkReport(
        framework,
        with_ordinals(findings),
        tuple(UnreadableFile(path, f"{framework} cannot parse it") for path in sorted(unreadable)),
    )


def _read_record(framework: str, status: FindingStatus, record: Any, root: str, secret_key: bytes) -> Finding:
    try:
        start, end = (int(line) for line in record["file_line_range"][:2])
        resource, check_id = str(record["resource"]), str(record["check_id"])
        path = str(record["file_path"])
    except (KeyError, TypeError, ValueError) as error:
        raise ScanError(f"A finding of {framework} lacks check, resource, file or lines ({error!r}).") from error
    result, is_suppressed = record.get("check_result"), status is FindingStatus.SUPPRESSED
    reason = result.get("suppress_comment") if isinstance(result, dict) and is_suppressed else None
    return Finding(
        framework=framework,
        check_id=check_id,
        check_name=excerpt(str(record.get("check_name") or ""), _TEXT_LIMIT),
        file_path=relative_path(path, root),
        resource=_resource(framework, resource, root, secret_key),
        line_start=start,
        line_end=end,
        status=status,
        suppression_reason=excerpt(str(reason or ""), _TEXT_LIMIT),
        suppressed_by="inline" if is_suppressed else "",
        guideline=excerpt(str(record.get("guideline") or ""), _TEXT_LIMIT),
    )


def relative_path(path: str, root: str) -> str:
    """A path as Checkov gives it (absolute, or from the root with or without a slash), from the root.

    >>> relative_path("/scan/a/main.tf", "/scan"), relative_path("/a/../main.tf", "/scan")
    ('a/main.tf', 'main.tf')
    """
    inside = path[len(root) :] if path == root or path.startswith(f"{root}/") else path
    return posixpath.normpath("/" + inside.lstrip("/")).lstrip("/")


def with_ordinals(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sorted findings, those equal in framework, check, file and resource numbered in the order of their lines."""
    seen: dict[tuple[str, str, str, str], int] = {}
    numbered = []
    for finding in sorted(findings, key=_order):
        identity = (finding.framework, finding.check_id, finding.file_path, finding.resource)
        seen[identity] = seen.get(identity, -1) + 1
        numbered.append(replace(finding, ordinal=seen[identity]))
    return tuple(numbered)


def _order(finding: Finding) -> tuple[str, str, str, str, int, int, str]:
    location = (finding.file_path, finding.check_id, finding.resource, finding.line_start, finding.line_end)
    return (finding.framework, *location, finding.status)


def _merge(reports: Iterable[FrameworkReport]) -> list[FrameworkReport]:
    merged: dict[str, FrameworkReport] = {}
    for report in reports:
        known = merged.get(report.framework, FrameworkReport(report.framework, ()))
        unreadable = tuple(dict.fromkeys(known.unreadable + report.unreadable))
        findings = with_ordinals(known.findings + report.findings)
        merged[report.framework] = FrameworkReport(report.framework, findings, unreadable)
    return list(merged.values())


def _keyed_digest(resource: str, key: bytes) -> str:
    # Checkov names a secret by its bare SHA-1, which a dictionary of leaked passwords turns back into the secret.
    return hmac.new(key, resource.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[:40]


def _resource(framework: str, resource: str, root: str, secret_key: bytes) -> str:
    return _keyed_digest(resource, secret_key) if framework == SECRETS else _without_root(resource, root)


def _without_root(resource: str, root: str) -> str:
    return resource.replace(f"{root}/", "/") if root else resource
