"""What is exported for other tools: what a suppression hides is marked, and a spreadsheet runs nothing of it."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from infraaudit.questions.csv_text import csv_text
from infraaudit.questions.export import Exchange, exported
from infraaudit_domain.judging.suppressions import Suppression
from infraaudit_domain.reporting.remedies import NO_REMEDIES
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus, Severity

FORMULA = "=HYPERLINK(1)"
FOUND = Finding("terraform", "CKV_A", FORMULA, "a.tf", "r.a", 1, 2, severity=Severity.HIGH)
SCAN = Scan("1" * 40, (FrameworkScan("terraform", "k", ScanStatus.COMPLETE, (FOUND,)),), "3.3", "c",
            datetime(2026, 1, 1, tzinfo=UTC), 1.0)  # fmt: skip
HIDDEN = (Suppression("no need", "ops", date(2026, 2, 1), check="CKV_A"),)


def text(form: Exchange, day: date = date(2026, 1, 2)) -> str:
    return exported(form, "shop", "https://example.org/shop.git", SCAN, HIDDEN, day, NO_REMEDIES)


def test_a_formula_in_a_csv_is_a_text() -> None:
    (row,) = csv.DictReader(io.StringIO(text(Exchange.CSV)))
    assert row["check_name"] == f"'{FORMULA}"
    assert row["id"] == FOUND.fingerprint
    assert csv_text(["a", "b"], [("@x", -1), ("x=1", None)]) == "a,b\n'@x,-1\nx=1,\n"


def test_the_most_severe_findings_come_first_in_every_form() -> None:
    others = [replace(FOUND, file_path="0.tf", severity=severity) for severity in (Severity.UNKNOWN, Severity.LOW)]
    scan = replace(SCAN, frameworks=(replace(SCAN.frameworks[0], findings=(*others, FOUND)),))
    given = exported(Exchange.JSON, "shop", "https://example.org/shop.git", scan, (), date(2026, 1, 2), NO_REMEDIES)
    assert [each["severity"] for each in json.loads(given)] == ["high", "low", "unknown"]
    log = json.loads(
        exported(Exchange.SARIF, "shop", "https://example.org/shop.git", scan, (), date(2026, 1, 2), NO_REMEDIES)
    )
    assert [each["level"] for each in log["runs"][0]["results"]] == ["error", "note", "warning"]


@pytest.mark.parametrize(("day", "status"), [(date(2026, 2, 1), "suppressed"), (date(2026, 2, 2), "open")])
def test_a_suppression_counts_up_to_its_last_day(day: date, status: str) -> None:
    (row,) = json.loads(text(Exchange.JSON, day))
    assert (row["id"], row["status"]) == (FOUND.fingerprint, status)
    results = json.loads(text(Exchange.SARIF, day))["runs"][0]["results"]
    assert [each["kind"] for each in results[0].get("suppressions", ())] == ["external"] * (status == "suppressed")
