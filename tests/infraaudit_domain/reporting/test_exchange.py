import json
from typing import Any

import jsonschema
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from infraaudit_domain.reporting.exchange import cyclonedx, sarif
from infraaudit_domain.scans.findings import Finding, FindingStatus, Severity
from tests import ROOT

OPEN = Finding("terraform", "CKV_2", "two", "a b/ü.tf", "r", 0, 0, severity=Severity.UNKNOWN, guideline="https://x")
HIDDEN = Finding(
    "terraform", "CKV_1", "one", "a.tf", "r", 3, 5, status=FindingStatus.SUPPRESSED, suppression_reason="known"
)


def test_sarif_points_every_result_at_its_rule_and_a_place_that_exists() -> None:
    run = json.loads(json.dumps(sarif([OPEN, HIDDEN], "/srv/a b.git", "f" * 40, "3.3")))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[r["ruleIndex"]]["id"] for r in run["results"]] == ["CKV_2", "CKV_1"]
    location = run["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "a%20b/%C3%BC.tf"
    assert location["region"] == {"startLine": 1, "endLine": 1}
    assert run["results"][0]["level"] == "warning"
    assert "suppressions" not in run["results"][0]
    assert run["results"][1]["suppressions"] == [{"kind": "inSource", "justification": "known"}]
    assert run["versionControlProvenance"][0]["repositoryUri"] == "file:///srv/a%20b.git"


def test_cyclonedx_vulnerabilities_affect_components_that_are_listed() -> None:
    document = cyclonedx([OPEN, HIDDEN], "p", "f" * 40)
    known = {component["bom-ref"] for component in document["components"]}
    assert {a["ref"] for v in document["vulnerabilities"] for a in v["affects"]} == known
    assert [v["analysis"]["state"] for v in document["vulnerabilities"]] == ["in_triage", "not_affected"]


def test_the_password_of_a_repository_does_not_leave_with_a_report() -> None:
    run = sarif([], "https://u:secret@host/x.git", "f" * 40, "3")["runs"][0]
    assert run["versionControlProvenance"][0]["repositoryUri"] == "https://host/x.git"


SCHEMA = json.loads((ROOT / "tests" / "schemas/sarif-schema-2.1.0.json").read_text())
SARIF = jsonschema.Draft7Validator(SCHEMA)
CYCLONEDX = JsonStrictValidator(SchemaVersion.V1_5)
text = st.text(max_size=8)
letters = st.characters(codec="utf-8", exclude_characters="/\0") | st.just(
    "\udcff"
)  # the last: a byte that is no UTF-8
names = st.lists(st.text(letters, min_size=1, max_size=6), min_size=1, max_size=3).map("/".join)
findings = st.lists(
    st.builds(
        Finding, st.sampled_from(["terraform", "secrets"]), st.sampled_from(["CKV_1", "CKV_2"]), text,
        names, text, st.integers(-1, 9), st.integers(-1, 9), st.integers(0, 2),
        st.sampled_from(FindingStatus), text, guideline=st.sampled_from(["", "https://x/y", "javascript:x"]),
        severity=st.sampled_from(list(Severity)),
    ),
    max_size=5, unique_by=lambda finding: finding.fingerprint,
)  # fmt: skip


def test_the_schemas_refuse_what_is_wrong() -> None:
    with pytest.raises(jsonschema.ValidationError):
        SARIF.validate({"version": "2.1.0", "runs": [{"results": []}]})
    assert CYCLONEDX.validate_str('{"bomFormat": "CycloneDX", "specVersion": "1.5", "vulnerabilities": [{"x": 1}]}')


@given(findings)
@settings(max_examples=50, deadline=None)
def test_any_findings_make_a_sarif_log_that_code_scanning_takes(found: list[Finding]) -> None:
    log = json.loads(json.dumps(sarif(found, "https://u@host/a b.git", "f" * 40, "3.3")))
    SARIF.validate(log)
    for result in log["runs"][0]["results"]:
        _is_taken_by_github(result)


@given(findings)
@settings(max_examples=50, deadline=None)
def test_any_findings_make_a_cyclonedx_document(found: list[Finding]) -> None:
    fault = CYCLONEDX.validate_str(json.dumps(cyclonedx(found, "p", "f" * 40)))
    assert fault is None, fault


def test_what_the_configuration_suppresses_is_distinguished_from_a_comment() -> None:
    runs = sarif([HIDDEN], "https://h/x", "f" * 40, "3", outside=[HIDDEN.fingerprint])["runs"]
    assert runs[0]["results"][0]["suppressions"][0]["kind"] == "external"


def _is_taken_by_github(result: dict[str, Any]) -> None:
    """What GitHub's documentation of SARIF support asks for beyond the schema."""
    location = result["locations"][0]["physicalLocation"]
    uri = location["artifactLocation"]["uri"]
    assert result["message"]["text"].strip() and uri and not uri.startswith("/") and "://" not in uri
    assert 1 <= location["region"]["startLine"] <= location["region"]["endLine"]
    assert result["partialFingerprints"]
