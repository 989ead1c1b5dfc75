import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings

from infraaudit_domain.reporting.cyclonedx import cyclonedx
from infraaudit_domain.scans.findings import Finding
from tests.infraaudit_domain.reporting.exported_findings import HIDDEN, OPEN, findings

CYCLONEDX = JsonStrictValidator(SchemaVersion.V1_5)


def test_vulnerabilities_affect_components_that_are_listed() -> None:
    document = cyclonedx([OPEN, HIDDEN], "p", "f" * 40)
    known = {component["bom-ref"] for component in document["components"]}
    assert {a["ref"] for v in document["vulnerabilities"] for a in v["affects"]} == known
    assert [v["analysis"]["state"] for v in document["vulnerabilities"]] == ["in_triage", "not_affected"]


def test_the_schema_refuses_what_is_wrong() -> None:
    assert CYCLONEDX.validate_str('{"bomFormat": "CycloneDX", "specVersion": "1.5", "vulnerabilities": [{"x": 1}]}')


@given(findings)
@settings(max_examples=50, deadline=None)
def test_any_findings_make_a_document(found: list[Finding]) -> None:
    fault = CYCLONEDX.validate_str(json.dumps(cyclonedx(found, "p", "f" * 40)))
    assert fault is None, fault
