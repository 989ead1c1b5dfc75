import json

from infraaudit_assets.domain.exchange import cyclonedx, sarif
from infraaudit_assets.domain.findings import Finding, Severity

OPEN = Finding("terraform", "CKV_2", "two", "a b/ü.tf", "r", 0, 0, severity=Severity.UNKNOWN, guideline="https://x")
HIDDEN = Finding("terraform", "CKV_1", "one", "a.tf", "r", 3, 5, status="suppressed", suppression_reason="known")


def test_sarif_points_every_result_at_its_rule_and_a_place_that_exists() -> None:
    run = json.loads(json.dumps(sarif([OPEN, HIDDEN], "/srv/a b.git", "f" * 40, "3.3")))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[r["ruleIndex"]]["id"] for r in run["results"]] == ["CKV_2", "CKV_1"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b/%C3%BC.tf"
    assert place["region"] == {"startLine": 1, "endLine": 1}
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
