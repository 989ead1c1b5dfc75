"""What the gate lets through, and that it stays closed where facts are missing."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.judging.ages import Age
from infraaudit_domain.judging.gate import Evidence, GatePolicy, judge_scan
from infraaudit_domain.judging.suppressions import Suppression, hide_in, lapsed
from infraaudit_domain.scans.findings import Finding, FindingStatus, FrameworkScan, Scan, ScanStatus, Severity

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = NOW.date()
HIGH = Finding("terraform", "CKV_1", "n", "infra/main.tf", "aws_s3_bucket.logs", 7, 9, severity=Severity.HIGH)
OTHER = replace(HIGH, resource="aws_s3_bucket.data", line_start=20)
NOTHING = GatePolicy(new={})


def scan(*findings: Finding, status: ScanStatus = ScanStatus.COMPLETE) -> Scan:
    return Scan("a" * 40, (FrameworkScan("terraform", "k", status, findings, reason="why"),), "3", "c", NOW, 1.0)


def decision(expires: date = DAY, **what: str) -> Suppression:
    return Suppression("known", "ada", expires, **(what or {"check": "CKV_1"}))


@pytest.mark.parametrize(
    ("policy", "evidence", "reason"),
    [
        (GatePolicy(new={Severity.HIGH: 0}), Evidence(scan(HIGH)), None),
        (
            GatePolicy(new={Severity.HIGH: 0}),
            Evidence(scan(HIGH), new=[HIGH]),
            "1 new high findings, 0 allowed, for example CKV_1 at infra/main.tf:7",
        ),
        (GatePolicy(new={Severity.LOW: 0}), Evidence(scan(HIGH), new=[HIGH]), None),
        (GatePolicy(open={Severity.HIGH: 1}), Evidence(scan(HIGH)), None),
        (GatePolicy(open={Severity.HIGH: 1}), Evidence(scan(HIGH, OTHER)), "2 open high findings, 1 allowed"),
        (GatePolicy(open={Severity.HIGH: 0}), Evidence(scan(replace(HIGH, status=FindingStatus.SUPPRESSED))), None),
        (GatePolicy(open={Severity.UNKNOWN: 0}), Evidence(scan(replace(HIGH, severity=Severity.UNKNOWN))), "unknown"),
        (
            GatePolicy(new_in_environment={Severity.HIGH: 0}),
            Evidence(scan(HIGH), not_live=[HIGH]),
            "1 high findings new in the environment, 0 allowed",
        ),
        (GatePolicy(new_in_environment={Severity.HIGH: 0}), Evidence(scan(HIGH), not_live=None), "is not known"),
        (GatePolicy(), Evidence(scan(HIGH), not_live=None), None),
        (
            GatePolicy(max_age_days={Severity.HIGH: 30}),
            Evidence(scan(HIGH), ages={HIGH.fingerprint: Age(30.0, 30.0)}),
            None,
        ),
        (
            GatePolicy(max_age_days={Severity.HIGH: 30}),
            Evidence(scan(HIGH, OTHER), ages={HIGH.fingerprint: Age(41.2, 41.2), OTHER.fingerprint: Age(1.0, 1.0)}),
            "1 open high findings are older than the 30 days that are allowed, the oldest for 41 days: CKV_1",
        ),
        (GatePolicy(max_age_days={Severity.HIGH: 30}), Evidence(scan(HIGH), ages={}), "may be older"),
        (GatePolicy(max_age_days={Severity.HIGH: 30}), Evidence(scan(HIGH), ages=None), "is not known"),
        (
            GatePolicy(max_age_days={Severity.HIGH: 30}),
            Evidence(scan(HIGH), ages={HIGH.fingerprint: Age(2.0, None)}),
            "1 open high findings may be older than the 30 days that are allowed",
        ),
        (
            GatePolicy(max_age_days={Severity.HIGH: 30}, unknown_age="allow"),
            Evidence(scan(HIGH), ages={HIGH.fingerprint: Age(2.0, None)}),
            None,
        ),
        (
            GatePolicy(max_age_days={Severity.HIGH: 30}),
            Evidence(scan(HIGH), ages={HIGH.fingerprint: Age(2.0, 29.0)}),
            None,
        ),
        (GatePolicy(), Evidence(None), "it has not been scanned"),
        (GatePolicy(), Evidence(scan(status=ScanStatus.PARTIAL)), "its scan is partial: why"),
        (GatePolicy(allow_partial=True), Evidence(scan(status=ScanStatus.PARTIAL)), None),
        (GatePolicy(allow_partial=True), Evidence(scan(status=ScanStatus.FAILED)), "its scan is failed: why"),
    ],
)
def test_the_gate_opens_within_its_limits_and_says_why_not(
    policy: GatePolicy, evidence: Evidence, reason: str | None
) -> None:
    verdict = judge_scan(policy, evidence)
    assert verdict.passed == (reason is None)
    assert (reason or "passed") in str(verdict)


def test_the_verdict_lists_every_finding_once_that_a_reason_is_about() -> None:
    policy = GatePolicy(open={Severity.HIGH: 0}, new={Severity.HIGH: 0})
    verdict = judge_scan(policy, Evidence(scan(HIGH, OTHER), new=[OTHER]))
    assert len(verdict.reasons) == 2 and verdict.findings == (HIGH, OTHER)


def test_a_suppression_opens_the_gate_through_its_last_day_and_closes_it_again_after() -> None:
    policy, until = GatePolicy(open={Severity.HIGH: 0}), decision(DAY)

    def judged(day: date) -> str:
        counted = hide_in(scan(HIGH), [until], day)
        return str(judge_scan(policy, Evidence(counted, lapsed=lapsed(counted.findings, [until], day))))

    assert judged(DAY) == "passed"
    after = judged(DAY + timedelta(days=1))
    assert "1 open high findings, 0 allowed" in after
    assert "the suppression of check CKV_1 by ada ended on 2026-01-01 and 1 open findings match it" in after


def test_one_that_ran_out_closes_the_gate_also_where_no_limit_does() -> None:
    after = DAY + timedelta(days=1)
    ended = lapsed([HIGH], [decision()], after)
    assert not judge_scan(NOTHING, Evidence(scan(HIGH), lapsed=ended)).passed
    assert lapsed([OTHER], [decision(resource="*.logs")], after) == []
    renewed = hide_in(scan(HIGH), [decision(), decision(after)], after)
    assert lapsed(renewed.findings, [decision(), decision(after)], after) == []


@pytest.mark.parametrize(
    ("what", "hidden"),
    [
        ({"check": "CKV_1"}, True),
        ({"check": "CKV_*", "path": "infra/*"}, True),
        ({"check": "CKV_1", "path": "app/*"}, False),
        ({"resource": "aws_s3_bucket.*"}, True),
        ({"resource": "AWS_S3_BUCKET.*"}, False),
        ({"id": HIGH.fingerprint[:8]}, True),
        ({"id": OTHER.fingerprint}, False),
    ],
)
def test_all_that_a_suppression_names_must_match(what: dict[str, str], hidden: bool) -> None:
    found = hide_in(scan(HIGH), [decision(**what)], DAY).findings[0]
    assert (found.status, found.suppression_reason) == (("suppressed", "known") if hidden else ("open", ""))


def test_one_that_begins_later_hides_nothing_yet() -> None:
    later = replace(decision(DAY + timedelta(days=9)), since=DAY + timedelta(days=1))
    assert hide_in(scan(HIGH), [later], DAY).findings == (HIGH,)


severities = st.sampled_from(list(Severity))
limits = st.dictionaries(severities, st.integers(0, 3))
found = st.lists(st.builds(lambda n, s: replace(HIGH, resource=str(n), severity=s), st.integers(0, 9), severities),
                 max_size=8, unique_by=lambda f: f.fingerprint)  # fmt: skip


@given(limits, limits, limits, found)
def test_a_finding_more_never_opens_the_gate(opened: dict, new: dict, live: dict, findings: list[Finding]) -> None:
    policy = GatePolicy(open=opened, new=new, new_in_environment=live)
    verdicts = [
        judge_scan(policy, Evidence(scan(*some), new=some, not_live=some)).passed
        for some in (findings[:count] for count in range(len(findings) + 1))
    ]
    assert verdicts == sorted(verdicts, reverse=True) and verdicts[0]
