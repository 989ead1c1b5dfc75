"""What the page and the API ask, over a real repository, on both databases."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import ScanStatus, Severity
from resources.history.queries.commit_findings import newest_scanned, postures
from resources.history.queries.commit_pages import CommitFilter, changes_at, commit_page, commit_row, deployment_page
from resources.history.queries.finding_life import finding_life
from resources.history.queries.finding_pages import FindingFilter, finding_page, live_page
from resources.history.stored_line import StoredLine, stored_line
from tests.infraaudit.scans.made_scans import finding, scan
from tests.resources.history.queries.test_audit_queries import NOW, Audit, audit, history

__all__ = ["audit", "history"]
X, Y = finding("x", "infra/new.tf"), finding("y", "infra/new.tf")


@pytest.fixture
def line(audit: Audit) -> StoredLine:
    audit.history.record_project(Project("p", "https://example.org/p.git"))
    assert audit.line.shas
    return stored_line(audit.history, "p")


def deploy(audit: Audit, sha: str, hour: int, outcome: Outcome = Outcome.DEPLOYED) -> datetime:
    at = NOW + timedelta(hours=hour)
    audit.history.record_deployment(Deployment("p", "production", sha, "container", outcome, at, at))
    return at


def test_a_finding_keeps_its_life_through_a_rename_a_fix_and_a_return(audit: Audit, line: StoredLine) -> None:
    life = finding_life(line, X.fingerprint)
    assert life
    assert [(event["event"], event["commit"], event["file_path"]) for event in life.events] == [
        ("introduced", audit.first, "main.tf"),
        ("moved", audit.renamed, "infra/new.tf"),
        ("fixed", audit.fixed, "infra/new.tf"),
        ("reopened", audit.back, "infra/new.tf"),
    ]
    hidden = finding_life(line, Y.fingerprint)
    assert hidden and [event["event"] for event in hidden.events] == ["introduced", "moved", "suppressed"]
    assert finding_life(line, "0" * 32) is None


def test_it_is_live_while_a_deployed_commit_has_it_open(audit: Audit, line: StoredLine) -> None:
    first = deploy(audit, audit.first, 1)
    deploy(audit, audit.renamed, 2)
    fixed = deploy(audit, audit.fixed, 3)
    deploy(audit, audit.back, 4, Outcome.ROLLED_BACK)
    life = finding_life(line, X.fingerprint)
    assert life and [(s["live_from"], s["live_to"]) for s in life.live] == [(first, fixed)]
    back = deploy(audit, audit.back, 5)
    again = finding_life(line, X.fingerprint)
    assert again and again.live[1:] == [{"environment": "production", "live_from": back, "live_to": None}]
    hidden = finding_life(line, Y.fingerprint)
    assert hidden and [s["live_to"] for s in hidden.live] == [back]


def test_what_is_live_says_since_when_without_a_gap(audit: Audit, line: StoredLine) -> None:
    assert live_page(line, "production", FindingFilter(), NOW, 10, 0) == (0, [])
    deploy(audit, audit.first, 1)
    second = deploy(audit, audit.second, 2)
    deploy(audit, audit.fixed, 3)
    total, (row,) = live_page(line, "production", FindingFilter(), NOW, 10, 0)
    assert (total, row["resource"], row["live_since"], row["introduced_by"]) == (1, "y", second, audit.second)


def test_age_counts_from_where_it_was_last_opened(audit: Audit, line: StoredLine) -> None:
    _, (row,) = finding_page(line, audit.back, FindingFilter(), NOW, 10, 0)
    assert (row["introduced_by"], row["opened_by"]) == (audit.first, audit.back)
    opened = audit.mirror.commit(audit.back).committed_at
    assert row["age_days"] == round((NOW - opened).total_seconds() / 86400, 2)


def test_a_commit_beside_the_line_has_findings_without_a_past(audit: Audit, line: StoredLine) -> None:
    audit.repository.git("checkout", "-q", "-b", "side", audit.second)
    side = audit.repository.write({"side.txt": "1"}, "side")
    audit.mirror.fetch()
    audit.scan(side, finding("z"))
    total, (row,) = finding_page(line, side, FindingFilter(), NOW, 10, 0)
    assert (total, row["introduced_by"], row["age_days"]) == (1, None, None)
    found = commit_row(line, side)
    assert found and found["subject"] == "side" and found["introduced"] is None
    life = finding_life(line, finding("z").fingerprint)
    assert life and life.events == [] and life.finding["resource"] == "z"
    assert commit_page(line, CommitFilter(), 50, 0)[0] == 5


def test_postures_of_any_window_are_those_of_the_whole(audit: Audit, line: StoredLine) -> None:
    whole = postures(line, 0, 4)
    assert [p.open for p in whole] == [Counter({Severity.HIGH: n}) for n in (1, 2, 2, 1, 1)]
    assert [dict(p.changes) for p in whole] == [
        {"introduced": 1},
        {"introduced": 1},
        {"moved": 2},
        {"fixed": 1},
        {"reopened": 1, "suppressed": 1},
    ]
    for first in range(5):
        for last in range(first, 5):
            assert postures(line, first, last) == whole[first : last + 1]


def test_a_crashed_scan_changes_nothing_and_is_reported(audit: Audit, line: StoredLine) -> None:
    sha = audit.repository.write({"other.txt": "5"}, "crash")
    audit.mirror.fetch()
    audit.history.record_commit("p", audit.mirror.commit(sha))
    audit.history.record_scan("p", scan(sha, [], ScanStatus.FAILED))
    assert audit.line.shas[-1] == sha
    now = stored_line(audit.history, "p")
    assert postures(now, 5, 5)[0].open.total() == 1
    newest = newest_scanned(now)
    assert newest and newest.sha == audit.back
    _, rows = commit_page(now, CommitFilter(), 1, 0)
    assert (rows[0]["scan"], rows[0]["open"], rows[0]["introduced"]) == ("failed", None, None)


def test_changes_of_a_commit_name_each_finding_once(audit: Audit, line: StoredLine) -> None:
    changes = {sha: sorted((row["change"], row["resource"]) for row in changes_at(line, sha)) for sha in line.shas}
    assert changes == {
        audit.first: [("introduced", "x")],
        audit.second: [("introduced", "y")],
        audit.renamed: [("moved", "x"), ("moved", "y")],
        audit.fixed: [("fixed", "x")],
        audit.back: [("reopened", "x"), ("suppressed", "y")],
    }


@pytest.mark.parametrize("text", ["%", "_", "'", "\\", "(a+)+$"])
def test_a_text_is_never_a_pattern(audit: Audit, line: StoredLine, text: str) -> None:
    assert commit_page(line, CommitFilter(text), 50, 0) == (0, [])
    literal = sum(text in part for part in ("CKV_1", "n", "infra/new.tf", "x"))
    assert finding_page(line, audit.back, FindingFilter(text=text), NOW, 10, 0)[0] == (1 if literal else 0)


def test_a_gate_stopped_only_the_attempt_that_its_failed_stage_spans(audit: Audit, line: StoredLine) -> None:
    early, late = (deploy(audit, audit.first, hour, Outcome.SKIPPED) for hour in (1, 3))
    refused = ("p", audit.first, "deployment", StageOutcome.FAILED)
    audit.history.record_stage(*refused, late - timedelta(minutes=1), late + timedelta(minutes=1), "run", "refused")
    _, rows = deployment_page(audit.history, "p")
    assert {row["started_at"]: bool(row["is_stopped"]) for row in rows} == {early: False, late: True}
