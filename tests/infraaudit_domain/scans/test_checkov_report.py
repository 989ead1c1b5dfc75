"""Checkov's report in all its shapes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.errors import ScanError
from infraaudit_domain.scans.checkov_report import parse_report, read_reports, relative_path, with_ordinals
from infraaudit_domain.scans.findings import Finding

ROOT, KEY = "/scan/tree", b"k" * 32


def record(**changes: Any) -> dict[str, Any]:
    base = {"check_id": "CKV_AWS_1", "check_name": "name", "file_path": "/a/main.tf", "file_line_range": [3, 9]}
    return {**base, "resource": "aws_s3_bucket.b", "check_result": {"result": "FAILED"}, "guideline": None, **changes}


def section(framework: str, *failed: dict[str, Any], skipped: Any = (), errors: Any = ()) -> dict[str, Any]:
    results = {"failed_checks": list(failed), "skipped_checks": list(skipped), "parsing_errors": list(errors)}
    return {"check_type": framework, "results": results, "summary": {}}


def test_one_framework_is_a_dict_and_several_are_a_list() -> None:
    one = parse_report(json.dumps(section("terraform", record())), ROOT, KEY)
    many = parse_report(json.dumps([section("terraform", record()), section("dockerfile")]), ROOT, KEY)
    assert [report.framework for report in one] == ["terraform"]
    assert [(report.framework, len(report.findings)) for report in many] == [("dockerfile", 0), ("terraform", 1)]


def test_a_flat_summary_says_that_nothing_was_scanned() -> None:
    assert parse_report('{"passed": 0, "failed": 0, "skipped": 0, "resource_count": 0}', ROOT, KEY) == ()


def test_noise_before_the_report_is_skipped() -> None:
    text = "WARNING [a] {odd}\n[notice] a new release\n" + json.dumps(section("terraform", record()), indent=4)
    assert len(parse_report(text, ROOT, KEY)[0].findings) == 1


@pytest.mark.parametrize(
    "text", ["", "killed", '{"check_type": "terraform", "resul', "3", "[1]", '{"a": 1}', "[" * 9999]
)
def test_anything_else_is_an_error_and_never_an_empty_scan(text: str) -> None:
    with pytest.raises(ScanError):
        parse_report(text, ROOT, KEY)


def test_every_truncation_is_an_error() -> None:
    text = json.dumps([section("terraform", record())])
    for end in range(len(text)):
        with pytest.raises(ScanError):
            parse_report(text[:end], ROOT, KEY)


def test_a_suppression_keeps_its_reason() -> None:
    skip = record(check_result={"result": "SKIPPED", "suppress_comment": "accepted by Ada"})
    (report,) = read_reports(section("terraform", skipped=[skip]), ROOT, KEY)
    assert [(f.status, f.suppression_reason) for f in report.findings] == [("suppressed", "accepted by Ada")]


def test_a_secret_is_known_by_a_keyed_digest() -> None:
    (report,) = read_reports(section("secrets", record(resource="5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8")), ROOT, KEY)
    (other,) = read_reports(section("secrets", record(resource="5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8")), ROOT, b"x")
    assert "5baa61e4" not in report.findings[0].resource
    assert report.findings[0].resource != other.findings[0].resource


def test_files_that_cannot_be_parsed_are_named_from_the_root() -> None:
    (report,) = read_reports(section("terraform", errors=[f"{ROOT}/a/b.tf", "/c.tf"]), ROOT, KEY)
    assert [file.path for file in report.unreadable] == ["a/b.tf", "c.tf"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/a/main.tf", "a/main.tf"), (f"{ROOT}/a.tf", "a.tf"), ("a.tf", "a.tf"), ("/../../etc/passwd", "etc/passwd")],
)
def test_paths_are_relative_and_stay_inside(path: str, expected: str) -> None:
    assert relative_path(path, ROOT) == expected


names = st.sampled_from(["a", "b"])
findings = st.builds(
    Finding,
    framework=names, check_id=names, check_name=st.just(""), file_path=names, resource=names,
    line_start=st.integers(0, 9), line_end=st.just(9),
)  # fmt: skip


@given(st.lists(findings, max_size=12), st.randoms())
def test_identities_are_unique_whatever_the_order(some: list[Finding], random: Any) -> None:
    numbered = with_ordinals(some)
    assert len({finding.fingerprint for finding in numbered}) == len(some)
    shuffled = list(some)
    random.shuffle(shuffled)
    assert with_ordinals(shuffled) == numbered


@given(st.lists(findings, max_size=12), st.integers(1, 50))
def test_moved_lines_change_no_identity(some: list[Finding], lines: int) -> None:
    from dataclasses import replace

    moved = [replace(f, line_start=f.line_start + lines, line_end=f.line_end + lines) for f in some]
    assert {f.fingerprint for f in with_ordinals(moved)} == {f.fingerprint for f in with_ordinals(some)}
