import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infraaudit_domain.reporting import sarif as module
from infraaudit_domain.reporting.sarif import repository_uri, sarif
from infraaudit_domain.scans.evidence import EVERY_FILE
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus, UnreadableFile
from tests import ROOT
from tests.infraaudit_domain.reporting.exported_findings import HIDDEN, OPEN, findings, names, text

SHA = "f" * 40
SARIF = jsonschema.Draft7Validator(json.loads((ROOT / "tests" / "schemas/sarif-schema-2.1.0.json").read_text()))
WHOLE = FrameworkScan("terraform", "k", ScanStatus.COMPLETE, ())
GAPS = (
    UnreadableFile("a b.yaml", "it is no YAML"),
    UnreadableFile("old/c.yaml", "it is no YAML", hidden_by="skip-path: old"),
    UnreadableFile(EVERY_FILE, "and 3 more files that could not be read"),
)


def log_of(
    found: Sequence[Finding], *parts: FrameworkScan, url: str = "https://h/x", outside: Sequence[str] = ()
) -> dict[str, Any]:
    scan = Scan(SHA, parts or (WHOLE,), "3.3", "c", datetime(2026, 1, 1, tzinfo=UTC), 1.0)
    log: dict[str, Any] = json.loads(json.dumps(sarif(found, scan, "shop", url, outside)))
    SARIF.validate(log)
    return log


def test_every_result_points_at_its_rule_and_a_place_that_exists() -> None:
    run = log_of([OPEN, HIDDEN])["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[r["ruleIndex"]]["id"] for r in run["results"]] == ["CKV_2", "CKV_1"]
    location = run["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "a%20b/%C3%BC.tf"
    assert location["region"] == {"startLine": 1, "endLine": 1}
    assert run["results"][0]["level"] == "warning"
    assert "suppressions" not in run["results"][0]
    assert run["results"][1]["suppressions"] == [{"kind": "inSource", "justification": "known"}]


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("/srv/a b.git", "file:///srv/a%20b.git"),
        ("https://u:secret@host/x.git", "https://host/x.git"),
        ("https://host:8443/team/a%20b", "https://host:8443/team/a%20b"),
        ("git@host:team/x.git", "https://host/team/x.git"),
        ("host.example:~team/x y", "https://host.example/~team/x%20y"),
        ("ssh://git@host:2222/team/x.git", "https://host/team/x.git"),
        ("ssh://git@[::1]:22/x", "https://[::1]/x"),
        ("git+ssh://u:p@host/x", "https://host/x"),
        ("file:///srv/x.git", "file:///srv/x.git"),
    ],
)
def test_the_repository_is_where_a_browser_finds_it_and_no_password_leaves(url: str, uri: str) -> None:
    assert repository_uri(url) == uri
    assert log_of([], url=url)["runs"][0]["versionControlProvenance"][0]["repositoryUri"] == uri


def test_what_was_not_read_is_a_notification() -> None:
    (whole,) = log_of([])["runs"][0]["invocations"]
    assert whole["executionSuccessful"] and whole["toolExecutionNotifications"] == []
    partial = FrameworkScan("kubernetes", "k", ScanStatus.PARTIAL, (), GAPS)
    (part,) = log_of([OPEN], WHOLE, partial)["runs"][0]["invocations"]
    notes = part["toolExecutionNotifications"]
    assert [note["level"] for note in notes] == ["warning", "note", "warning"]
    assert "kubernetes did not read this file: it is no YAML" in notes[0]["message"]["text"]
    assert notes[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b.yaml"
    assert "skip-path: old" in notes[1]["message"]["text"] and "locations" not in notes[2]
    failed = FrameworkScan("bicep", "k", ScanStatus.FAILED, (), reason="no end after 250 s")
    (lost,) = log_of([OPEN], WHOLE, failed)["runs"][0]["invocations"]
    assert not lost["executionSuccessful"]
    assert [note["message"]["text"] for note in lost["toolExecutionNotifications"]] == [
        "bicep failed: no end after 250 s"
    ]


def test_an_upload_replaces_the_one_before_and_an_alert_is_the_same_wherever_it_moves() -> None:
    moved = replace(OPEN, line_start=40, line_end=41)
    first, second = log_of([OPEN])["runs"][0], log_of([moved])["runs"][0]
    assert first["automationDetails"]["id"] == f"infraaudit/shop/{SHA}"
    hashes = [run["results"][0]["partialFingerprints"]["primaryLocationLineHash"] for run in (first, second)]
    assert hashes[0] == hashes[1] == f"{OPEN.fingerprint}:1"


def test_more_than_a_run_may_hold_is_split_and_what_a_log_may_not_hold_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_RESULTS", 10)
    monkeypatch.setattr(module, "MOST_RUNS", 3)
    many = [replace(OPEN, resource=str(number)) for number in range(25)]
    runs = log_of(many)["runs"]
    assert [len(run["results"]) for run in runs] == [10, 10, 5]
    categories = [run["automationDetails"]["id"].rpartition("/")[0] for run in runs]
    assert categories == ["infraaudit/shop", "infraaudit/shop/part-2", "infraaudit/shop/part-3"]
    more = log_of([*many, *(replace(HIDDEN, resource=str(number)) for number in range(7))])["runs"]
    assert [len(run["results"]) for run in more] == [10, 10, 10]
    (invocation,) = more[0]["invocations"]
    assert not invocation["executionSuccessful"]
    assert "2 findings, the least severe, are not in this log" in str(invocation["toolExecutionNotifications"])


gaps = st.lists(st.builds(UnreadableFile, names | st.just(EVERY_FILE), text), max_size=3).map(tuple)


@given(findings, gaps)
@settings(max_examples=50, deadline=None)
def test_any_findings_make_a_log_that_code_scanning_takes(
    found: list[Finding], unread: tuple[UnreadableFile, ...]
) -> None:
    log = log_of(found, FrameworkScan("terraform", "k", ScanStatus.PARTIAL, (), unread))
    for result in log["runs"][0]["results"]:
        _is_taken_by_github(result)
    for rule in log["runs"][0]["tool"]["driver"]["rules"]:
        assert all(rule[name]["text"].strip() for name in ("shortDescription", "fullDescription", "help"))


def test_the_schema_refuses_what_is_wrong() -> None:
    with pytest.raises(jsonschema.ValidationError):
        SARIF.validate({"version": "2.1.0", "runs": [{"results": []}]})


def test_what_the_configuration_suppresses_is_distinguished_from_a_comment() -> None:
    runs = log_of([HIDDEN], outside=[HIDDEN.fingerprint])["runs"]
    assert runs[0]["results"][0]["suppressions"][0]["kind"] == "external"


def _is_taken_by_github(result: dict[str, Any]) -> None:
    """What GitHub's documentation of SARIF support asks for beyond the schema."""
    location = result["locations"][0]["physicalLocation"]
    uri = location["artifactLocation"]["uri"]
    assert result["message"]["text"].strip() and uri and not uri.startswith("/") and "://" not in uri
    assert 1 <= location["region"]["startLine"] <= location["region"]["endLine"]
    assert result["partialFingerprints"]["primaryLocationLineHash"]
