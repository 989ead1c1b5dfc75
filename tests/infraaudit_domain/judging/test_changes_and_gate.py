from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.judging.gate import judge_tests
from infraaudit_domain.lifecycles.changes import compare_scans
from infraaudit_domain.scans.evidence import Evidence
from infraaudit_domain.scans.findings import Finding, FindingStatus, FrameworkScan, Scan, ScanStatus, UnreadableFile

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def scan(
    *findings: Finding,
    status: ScanStatus = ScanStatus.COMPLETE,
    version: str = "3",
    config: str = "c",
    gaps: tuple[str, ...] = (),
    evidence: Evidence | None = None,
) -> Scan:
    unreadable = tuple(UnreadableFile(path, "broken") for path in gaps)
    part = FrameworkScan("terraform", "k", status, findings, unreadable, reason="why", evidence=evidence)
    return Scan("a" * 40, (part,), version, config, NOW, 1.0)


def finding(resource: str = "r", path: str = "main.tf", line: int = 1, **more: object) -> Finding:
    return Finding("terraform", "CKV_1", "n", path, resource, line, line + 3, **more)


findings = st.lists(
    st.builds(finding, st.sampled_from("abcd"), st.sampled_from(["x.tf", "y.tf"]), st.integers(1, 99)),
    max_size=6,
    unique_by=lambda f: f.fingerprint,
)


@given(findings, findings)
def test_what_is_new_one_way_is_fixed_the_other_way(left: list[Finding], right: list[Finding]) -> None:
    there, back = compare_scans(scan(*left), scan(*right), {}), compare_scans(scan(*right), scan(*left), {})
    assert {f.fingerprint for f in there.new} == {f.fingerprint for f in back.fixed}
    assert len(left) + len(there.new) - len(there.fixed) == len(right)


@given(findings, st.integers(1, 50))
def test_moved_lines_change_nothing(before: list[Finding], shift: int) -> None:
    after = [replace(f, line_start=f.line_start + shift, line_end=f.line_end + shift) for f in before]
    changes = compare_scans(scan(*before), scan(*after), {})
    assert not (changes.new or changes.fixed or changes.moved)


def test_a_renamed_file_moves_its_findings_and_a_copied_resource_is_new() -> None:
    before = scan(finding("a", "old.tf"))
    after = scan(finding("a", "new.tf"), finding("a", "new.tf", line=9, ordinal=1))
    changes = compare_scans(before, after, {"old.tf": "new.tf"})
    assert [f.ordinal for f in changes.new] == [1]
    assert changes.fixed == ()
    assert [(b.file_path, a.file_path) for b, a in changes.moved] == [("old.tf", "new.tf")]


def test_a_gap_touches_its_file_alone_and_a_failed_framework_all_of_its_own() -> None:
    before = scan(finding("a"), finding("b", "other.tf"))
    after = scan(finding("c"), gaps=("main.tf",))
    changes = compare_scans(before, after, {})
    assert [f.resource for f in changes.new] == ["c"]
    assert ([f.resource for f in changes.fixed], [f.resource for f in changes.unread]) == (["b"], ["a"])
    back = compare_scans(after, before, {})
    assert ([f.resource for f in back.new], [f.resource for f in back.perhaps_new]) == (["b"], ["a"])
    failed = compare_scans(before, scan(status=ScanStatus.FAILED), {})
    assert failed.fixed == () and len(failed.unread) == 2


def test_a_finding_is_gone_where_its_check_passed_or_its_resource_left_and_not_where_nothing_is_said() -> None:
    before = scan(*(finding(name) for name in ("passed", "left", "unsaid", "undecided")))
    evidence = Evidence(1, {"main.tf": {"passed": frozenset({"CKV_1"}), "unsaid": frozenset({"CKV_2"})}})
    changes = compare_scans(before, scan(evidence=evidence), {})
    assert [f.resource for f in changes.fixed] == ["left", "passed", "undecided"]
    assert [f.resource for f in changes.unread] == ["unsaid"]
    unsure = replace(evidence, undecided={"main.tf": frozenset({"CKV_1"})})
    assert [f.resource for f in compare_scans(before, scan(evidence=unsure), {}).fixed] == ["passed"]


def test_the_twin_of_a_finding_that_is_still_there_is_gone() -> None:
    twins = scan(finding("a"), finding("a", line=9, ordinal=1))
    left = scan(finding("a"), evidence=Evidence(1, {"main.tf": {"a": frozenset()}}))
    assert [f.ordinal for f in compare_scans(twins, left, {}).fixed] == [1]


def test_a_suppressed_finding_is_no_open_one() -> None:
    changes = compare_scans(scan(finding("a")), scan(finding("a", status=FindingStatus.SUPPRESSED)), {})
    assert [f.resource for f in changes.fixed] == ["a"]


@pytest.mark.parametrize(
    ("version", "config", "cause"), [("3", "c", "code"), ("4", "c", "scanner"), ("3", "d", "config")]
)
def test_the_scanner_is_distinguished_from_the_code(version: str, config: str, cause: str) -> None:
    assert compare_scans(scan(), scan(finding(), version=version, config=config), {}).other_cause == cause


def test_a_scan_of_the_earlier_files_under_the_later_scanner_distinguishes_the_causes() -> None:
    before = scan(finding("kept"), finding("deleted"), finding("dropped rule"))
    after = scan(finding("kept"), finding("written"), finding("new rule", "new.tf"), version="4")
    cross = scan(finding("kept"), finding("deleted"), finding("new rule", "old.tf"), version="4")
    renames = {"old.tf": "new.tf"}
    compared = compare_scans(before, after, renames, cross)
    assert {f.resource: compared.causes.of_presence(f.fingerprint, f.status) for f in compared.new} == {
        "written": "code",
        "new rule": "scanner",
    }
    assert {f.resource: compared.causes.of_absence(f.fingerprint) for f in compared.fixed} == {
        "deleted": "code",
        "dropped rule": "scanner",
    }
    without = compare_scans(before, after, renames)
    partial = compare_scans(before, after, renames, scan(status=ScanStatus.PARTIAL))
    for unknown in (without, partial):
        assert {unknown.causes.of_presence(f.fingerprint, f.status) for f in unknown.new} == {"scanner"}


def test_tests_open_the_gate_only_when_some_passed_and_none_failed() -> None:
    passed, failed, skipped = (
        TestCase(o, o, 0.0) for o in (CaseOutcome.PASSED, CaseOutcome.FAILED, CaseOutcome.SKIPPED)
    )
    assert judge_tests(TestRun((passed, skipped), 1)).passed
    closed = [
        None,
        TestRun((), 1),
        TestRun((skipped,), 1),
        TestRun((passed, failed), 1),
        TestRun((passed,), 1, "", "time"),
    ]
    assert not any(judge_tests(run).passed for run in closed)
    assert "1 of 2 tests failed, the first is failed" in str(judge_tests(TestRun((passed, failed), 1)))
