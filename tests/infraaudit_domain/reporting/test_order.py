"""Findings are listed the most severe first, and counted in a line; a path may be a file, a folder or a pattern."""

import pytest

from infraaudit_domain.reporting.order import finding_worst_first, tally, worst_first
from infraaudit_domain.reporting.path_filters import names, too_many_stars
from infraaudit_domain.scans.findings import Finding, FindingStatus, Severity


def row(severity: str, path: str = "a.tf", line: int = 1, status: str = "open") -> dict[str, object]:
    return {"severity": severity, "file_path": path, "line_start": line, "check_id": "C", "status": status}


def test_severity_then_file_then_line() -> None:
    rows = [
        row("low"),
        row("critical", "z.tf"),
        row("critical", "b.tf", 10),
        row("critical", "b.tf", 9),
        row("unknown"),
    ]
    ordered = sorted(rows, key=worst_first)
    assert [(each["severity"], each["file_path"], each["line_start"]) for each in ordered] == [
        ("critical", "b.tf", 9), ("critical", "b.tf", 10), ("critical", "z.tf", 1), ("low", "a.tf", 1),
        ("unknown", "a.tf", 1),
    ]  # fmt: skip


def test_findings_are_in_the_order_of_their_rows() -> None:
    places = [("low", "a.tf", 1), ("critical", "z.tf", 1), ("critical", "b.tf", 10), ("critical", "b.tf", 9)]
    findings = [
        Finding("terraform", "C", "", path, "r", line, line, 0, FindingStatus.OPEN, severity=Severity(severity))
        for severity, path, line in places
    ]
    ordered = [(f.severity.value, f.file_path, f.line_start) for f in sorted(findings, key=finding_worst_first)]
    assert ordered == [places[3], places[2], places[1], places[0]]
    rows = sorted((row(*place) for place in places), key=worst_first)
    assert [(each["severity"], each["file_path"], each["line_start"]) for each in rows] == ordered


def test_a_line_counts_by_severity() -> None:
    assert tally([row("low"), row("high"), row("low")], "finding") == "3 findings: 1 high, 2 low"
    assert tally([row("low", status="suppressed")], "finding") == "0 findings; 1 suppressed"
    assert tally([row("info"), row("high", status="suppressed")], "change") == "1 change: 1 info; 1 suppressed"
    assert tally([], "finding") == "0 findings"


@pytest.mark.parametrize(
    ("path", "file", "is_named"),
    [
        ("", "a/b.tf", True), ("a", "a/b.tf", True), ("a/", "a/b.tf", True), ("a/b.tf", "a/b.tf", True),
        ("a/b", "a/b.tf", False), ("*.tf", "a/b.tf", True), ("a/*.tf", "a/x/b.tf", True), ("a/**/b.tf", "a/x/b.tf", True),
        ("?.tf", "b.tf", True), ("?.tf", "bb.tf", False), ("*.tf", "b.tfvars", False), ("*[1].tf", "x[1].tf", True),
        ("*.TF", "a/b.tf", False), ("modules/*/main.tf", "modules/vpc/main.tf", True), ("a.*", "axtf", False),
    ],
)  # fmt: skip
def test_what_a_path_names(path: str, file: str, is_named: bool) -> None:
    assert names(path, file) is is_named


def test_so_many_stars_as_can_be_matched_in_time() -> None:
    assert not too_many_stars("*/a/**/b/*c*") and too_many_stars("*a*a*a*a*a")
