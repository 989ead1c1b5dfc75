"""Exposure, SLA and suppressions over a line of commits whose scans and deployments are recorded."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit.questions.findings import findings_at
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.judging.suppressions import Suppression
from infraaudit_domain.reporting.columns import EXPOSURE_COLUMNS, LIVE_COLUMNS, SLA_COLUMNS, SUPPRESSION_COLUMNS
from infraaudit_domain.scans.findings import Severity
from resources.history import History
from resources.history.queries.exposure import exposure
from resources.history.queries.live_commits import live_commits
from resources.history.queries.sla import sla
from resources.history.queries.suppressions import suppressions_of
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding
from tests.resources.databases import DATABASES, fresh_history
from tests.resources.history.queries.test_audit_queries import Audit

NOW = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


@pytest.fixture
def audit(history: History, repository: Repository) -> Audit:
    return Audit(history, repository)


def deploy(audit: Audit, *hours_and_commits: tuple[int, str], outcome: Outcome = Outcome.DEPLOYED) -> None:
    for hour, sha in hours_and_commits:
        at = NOW + timedelta(hours=hour)
        audit.history.record_deployment(Deployment("p", "production", sha, "container", outcome, at, at))


def test_exposure_counts_the_hours_on_which_a_commit_with_the_finding_was_live(audit: Audit) -> None:
    deploy(audit, (0, audit.first), (10, audit.renamed), (14, audit.renamed), (16, audit.fixed))
    deploy(audit, (17, audit.back), outcome=Outcome.ROLLED_BACK)
    rows = exposure(audit.line, "production", NOW + timedelta(hours=20))
    assert tuple(rows.columns) == EXPOSURE_COLUMNS
    x, y = (rows[rows["resource"] == name].iloc[0] for name in "xy")
    assert (x["hours_exposed"], y["hours_exposed"]) == (16, 10)
    assert (x["introduced_by"], x["fixed_by"]) == (audit.first, audit.fixed)
    assert (x["live_from"], x["live_to"]) == (NOW.isoformat(), (NOW + timedelta(hours=16)).isoformat())
    assert (bool(x["live_now"]), bool(y["live_now"])) == (False, True)
    assert x["file_path"] == "infra/new.tf" and rows["brought_back_by"].isna().all()
    assert exposure(audit.line, "staging", NOW).empty


def test_a_rollback_brings_back_what_the_commit_before_had_fixed(audit: Audit) -> None:
    deploy(audit, (0, audit.first), (5, audit.fixed), (7, audit.second))
    rows = exposure(audit.line, "production", NOW + timedelta(hours=8))
    x, y = (rows[rows["resource"] == name].iloc[0] for name in "xy")
    assert (x["hours_exposed"], y["hours_exposed"]) == (6, 3)
    assert dict(zip(rows["resource"], rows["brought_back_by"].notna(), strict=True)) == {"x": True, "y": False}
    assert x["brought_back_by"] == audit.second
    assert bool(x["live_now"])


def test_what_was_live_without_scan_or_tests_is_counted(audit: Audit) -> None:
    unscanned = audit.repository.write({"z": "1"}, "unscanned")
    audit.mirror.fetch()
    audit.history.record_test_run("p", audit.first, TestRun((TestCase("t", CaseOutcome.PASSED, 1.0),), 1.0))
    audit.history.record_test_run("p", unscanned, TestRun((TestCase("t", CaseOutcome.FAILED, 1.0),), 1.0))
    deploy(audit, (0, audit.first), (3, unscanned), (7, audit.first))
    rows = live_commits(audit.line, "production", NOW + timedelta(hours=9))
    assert tuple(rows.columns) == LIVE_COLUMNS
    listed = rows[["sha", "hours", "scan", "tests", "rollback"]].to_numpy().tolist()
    assert listed == [
        [audit.first, 3, "complete", "passed", False],
        [unscanned, 4, "none", "failed", False],
        [audit.first, 2, "complete", "passed", True],
    ]
    assert (rows["unscanned_hours"].sum(), rows["untested_hours"].sum()) == (4, 4)


def test_sla_reports_ages_breaches_and_times_to_fix(audit: Audit) -> None:
    back = audit.mirror.commit(audit.back).committed_at
    rows = sla(audit.line, {Severity.HIGH: 1}, back + timedelta(days=2)).set_index("severity")
    assert ("severity", *rows.columns) == SLA_COLUMNS
    assert list(rows.index) == [severity.value for severity in Severity]
    high = rows.loc["high"]
    # x was reopened and counts from there; y is suppressed in the code and counts nowhere.
    assert (high["open"], high["breached"], high["oldest_days"], high["up_to_7_days"]) == (1, 1, 2, 1)
    between = audit.mirror.commit(audit.fixed).committed_at - audit.mirror.commit(audit.first).committed_at
    assert (high["fixed"], high["fixed_late"]) == (1, 0)
    assert high["mean_days_to_fix"] == pytest.approx(between.total_seconds() / 86400, abs=0.05)
    assert rows["breached"].isna().to_dict() == {s.value: s is not Severity.HIGH for s in Severity}
    hidden = sla(audit.line, {}, back, [Suppression("r", "o", date.max, resource="x")]).set_index("severity")
    assert hidden.loc["high"]["open"] == 0
    assert sla(audit.line, {}, back, since=back).set_index("severity").loc["high"]["fixed"] == 0


def test_suppressions_name_who_hid_what_and_whether_it_is_live(audit: Audit) -> None:
    day = date(2024, 1, 1)
    declared = [
        Suppression("later", "ops", date(2024, 2, 1), resource="x", since=day),
        Suppression("old", "ops", date(2023, 12, 31), check="CKV_1"),
        Suppression("gone", "ops", date.max, check="CKV_2"),
        Suppression("soon", "ops", date.max, path="infra/*", since=date(2024, 3, 1)),
    ]
    rows = suppressions_of(audit.line, declared, audit.renamed, day)
    assert tuple(rows.columns) == SUPPRESSION_COLUMNS
    listed = rows[["source", "state", "resource", "reason", "owner", "commit", "live"]].astype(object)
    assert listed.where(listed.notna(), None).to_numpy().tolist() == [
        ["code", "active", "y", "", "Ada", audit.back, False],
        ["file", "active", "x", "later", "ops", None, False],
        ["file", "expired", "x", "old", "ops", None, False],
        ["file", "unused", None, "gone", "ops", None, False],
        ["file", "planned", "x", "soon", "ops", None, False],
    ]
    assert rows["until"][1] == "2024-02-01" and rows["since"][0].startswith("2023-")
    live = suppressions_of(audit.line, declared, audit.back, day)
    assert list(live["live"]) == [True, True, True, False, True]


def test_a_comment_that_was_taken_out_is_listed_as_ended(audit: Audit) -> None:
    last = audit.repository.write({"other.txt": "9"}, "taken out")
    audit.mirror.fetch()
    audit.scan(last, finding("x", "infra/new.tf"), finding("y", "infra/new.tf"))
    rows = suppressions_of(audit.line, [], None, date(2024, 1, 1))
    assert rows[["state", "commit"]].to_numpy().tolist() == [["ended", audit.back]]
    assert rows["until"][0] == audit.mirror.commit(last).committed_at.isoformat()


def test_the_file_hides_findings_only_until_its_last_day(audit: Audit) -> None:
    hidden = [Suppression("known", "ops", NOW.date(), resource="x")]
    for now, expected in ((NOW, ("suppressed", "known")), (NOW + timedelta(days=1), ("open", ""))):
        rows = findings_at(audit.line, audit.back, now, suppressions=hidden)
        x = rows[rows["resource"] == "x"].iloc[0]
        assert (x["status"], x["suppression_reason"]) == expected
