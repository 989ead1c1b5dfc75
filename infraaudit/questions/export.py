"""The findings of one commit for other tools: SARIF, CycloneDX, JSON or CSV."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from enum import StrEnum
from typing import Protocol

from infraaudit.questions.csv_text import csv_text
from infraaudit_domain.judging.suppressions import Kind, Suppression, hide_in, suppressed_by
from infraaudit_domain.reporting.cyclonedx import cyclonedx
from infraaudit_domain.reporting.order import finding_worst_first
from infraaudit_domain.reporting.remedies import Remedies
from infraaudit_domain.reporting.sarif import sarif
from infraaudit_domain.scans.findings import Finding, Scan


class CodeOfFindings(Protocol):
    """Where the code of findings comes from."""

    def lines(self, finding: Finding) -> list[tuple[int, str]]:
        """The lines of a finding with their numbers; none where they cannot be had."""


class Exchange(StrEnum):
    SARIF = "sarif"
    JSON = "json"
    CSV = "csv"
    CYCLONEDX = "cyclonedx"


def exported(
    form: Exchange,
    project: str,
    url: str,
    raw: Scan,
    suppressions: Sequence[Suppression],
    day: date,
    remedies: Remedies,
    code: CodeOfFindings | None = None,
) -> str:
    """A commit's findings as a text of this form; what a suppression hides on the day is marked as suppressed.

    ``code`` is for SARIF, whose readers show the lines beside each result.
    """
    scan = hide_in(raw, suppressions, day)
    findings = sorted(
        map(remedies.explained, scan.findings),
        key=lambda finding: (*finding_worst_first(finding), finding.fingerprint),
    )
    if form is Exchange.CSV:
        return _csv(findings)
    document: object
    if form is Exchange.SARIF:
        outside = {f.fingerprint for f in raw.findings if f.is_open}
        document = sarif(findings, scan, project, url, outside, remedies, code.lines if code else lambda _: ())
    elif form is Exchange.CYCLONEDX:
        document = cyclonedx(findings, project, scan.sha, _wrong(raw, suppressions, day))
    else:
        document = [{"id": finding.fingerprint} | asdict(finding) for finding in findings]
    return json.dumps(document, indent=2) + "\n"


def _wrong(raw: Scan, suppressions: Sequence[Suppression], day: date) -> set[str]:
    """The findings that somebody ruled to be false positives."""
    if not any(one.kind is Kind.FALSE_POSITIVE for one in suppressions):
        return set()
    by = {finding.fingerprint: suppressed_by(finding, suppressions, day) for finding in raw.findings}
    return {mark for mark, one in by.items() if one is not None and one.kind is Kind.FALSE_POSITIVE}


def _csv(findings: Sequence[Finding]) -> str:
    rows = [{"id": finding.fingerprint} | asdict(finding) for finding in findings]
    return csv_text(["id", *Finding.__dataclass_fields__], (tuple(row.values()) for row in rows))
