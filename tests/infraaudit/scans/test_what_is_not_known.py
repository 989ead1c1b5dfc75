"""Answers over a history with holes: what is not known is a range or a group of its own, and blames nobody."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import ScanStatus, Severity
from resources.history import History
from resources.history.queries.commit_pages import changes_at
from resources.history.queries.measures import findings_of
from resources.history.queries.open_counts import open_by_severity
from resources.history.queries.sla import sla_rows
from resources.history.queries.suppressions import suppression_rows
from resources.history.queries.trends import trend_rows
from tests.conftest import Repository
from tests.infraaudit.scans.audited import Audited
from tests.infraaudit.scans.made_scans import finding
from tests.resources.databases import DATABASES, fresh_history

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


@pytest.fixture
def audited(history: History, repository: Repository) -> Audited:
    history.record_project(Project("p", "https://example.org/p.git"))
    return Audited(history, repository)


def _changes(audited: Audited, sha: str) -> set[tuple[Any, ...]]:
    rows = changes_at(audited.line, sha)
    return {(row["resource"], row["change"], row["by"], row["after"], row["certainty"]) for row in rows}


def _open_by_author(audited: Audited, sha: str) -> dict[str, int]:
    rows = trend_rows(audited.line, by="author")
    return {row["group"]: row["open"] for row in rows if row["commit"] == sha and row["group"]}


def _high(audited: Audited, now: datetime, limit: float) -> dict[str, Any]:
    return next(row for row in sla_rows(audited.line, {Severity.HIGH: limit}, now) if row["severity"] == "high")


def test_over_commits_that_were_not_scanned_nobody_is_named(audited: Audited) -> None:
    audited.commit(scanned=False)
    first = audited.commit(finding("old"), finding("hidden"))
    audited.commit(scanned=False)
    late = audited.commit(finding("old"), finding("between"), finding("hidden", status="suppressed"))
    assert _changes(audited, first) == {(name, "found", None, None, "before") for name in ("old", "hidden")}
    assert _changes(audited, late) == {
        ("between", "introduced", None, first, "between"),
        ("hidden", "suppressed", None, first, "between"),
    }
    assert _open_by_author(audited, late) == {"unknown": 2}
    (row,) = suppression_rows(audited.line, (), None, NOW.date())
    assert (row["owner"], row["commit"], row["after"], row["certainty"]) == (None, late, first, "between")


def test_a_root_that_is_scanned_names_its_author(audited: Audited) -> None:
    root = audited.commit(finding("x"))
    hiding = audited.commit(finding("x", status="suppressed"))
    assert _changes(audited, root) == {("x", "introduced", root, None, "exact")}
    assert _open_by_author(audited, root) == {"Ada": 1}
    (row,) = suppression_rows(audited.line, (), None, NOW.date())
    assert (row["owner"], row["commit"], row["certainty"]) == ("Ada", hiding, "exact")


def test_a_merge_shows_what_its_branch_did_by_that_commit(audited: Audited) -> None:
    base = audited.commit(finding("hidden"), finding("gone"))
    audited.switch("side", base)
    opened = audited.commit(finding("hidden"), finding("gone"), finding("port"))
    fixed = audited.commit(finding("hidden", status="suppressed"), finding("port"))
    audited.switch("main")
    audited.commit(finding("hidden"), finding("gone"))
    merge = audited.merge("side", finding("hidden", status="suppressed"), finding("port"))
    assert _changes(audited, merge) == {
        ("port", "introduced", opened, None, "exact"),
        ("gone", "fixed", fixed, None, "exact"),
        ("hidden", "suppressed", fixed, None, "exact"),
    }
    (row,) = suppression_rows(audited.line, (), None, NOW.date())
    assert (row["commit"], row["after"], row["certainty"]) == (fixed, None, "exact") and row["owner"]
    # The age of what a branch brought counts from the branch's commit, not from the merge.
    times = {sha: audited.mirror.commit(sha).committed_at for sha in (base, opened, fixed)}
    high = _high(audited, times[opened] + timedelta(days=3), 2)
    assert (high["open"], high["oldest_days"], high["breached"], high["age_at_least"]) == (1, 3, 1, 0)
    took = (times[fixed] - times[base]).total_seconds() / 86400
    assert (high["fix_time_unknown"], high["mean_days_to_fix"]) == (0, pytest.approx(took, abs=0.05))


def test_ages_and_times_to_fix_that_are_not_known_are_counted_as_that(audited: Audited) -> None:
    audited.commit(scanned=False)
    first = audited.commit(finding("old"), finding("fixed"), finding("short"))
    audited.commit(finding("old"), finding("short"), scanned=False)
    audited.commit(finding("old"), finding("short"))
    audited.commit(finding("old"))
    began = audited.mirror.commit(first).committed_at
    high = _high(audited, began + timedelta(days=3), 5)
    # Old stands for at least three days, and nothing says since when; neither fix has a known beginning.
    assert (high["open"], high["age_at_least"], high["breached"], high["perhaps_breached"]) == (1, 1, 0, 1)
    assert (high["fixed"], high["fix_time_unknown"], high["mean_days_to_fix"], high["fixed_late"]) == (2, 2, None, 0)
    assert _high(audited, began + timedelta(days=6), 5)["breached"] == 1


def test_what_a_scan_did_not_read_still_stands_in_every_count(audited: Audited) -> None:
    whole = audited.commit(finding("x"), finding("y"))
    partial = audited.commit(scanned=False)
    audited.scan(partial, finding("y"), status=ScanStatus.PARTIAL)
    failed = audited.commit(scanned=False)
    audited.scan(failed, status=ScanStatus.FAILED)
    line = audited.line
    for sha in (whole, partial):
        assert findings_of(audited.history, "p", sha) == {("terraform", "high", "open"): 2}
    # A scan that failed is no point of a trend.
    assert open_by_severity(line, [whole, partial, failed]) == {sha: {Severity.HIGH: 2} for sha in (whole, partial)}


def test_a_commit_beside_the_line_counts_what_its_own_scan_found(audited: Audited) -> None:
    base = audited.commit(finding("x"))
    audited.switch("side", base)
    beside = audited.commit(finding("x"), finding("y"))
    audited.switch("main")
    assert open_by_severity(audited.line, [base, beside]) == {base: {Severity.HIGH: 1}, beside: {Severity.HIGH: 2}}
    assert findings_of(audited.history, "p", beside) == {("terraform", "high", "open"): 2}


def test_a_commit_shows_nothing_of_what_later_scans_did_not_read(audited: Audited) -> None:
    audited.commit(finding("x"))
    unscanned = audited.commit(scanned=False)
    partial = audited.scan(audited.commit(scanned=False), status=ScanStatus.PARTIAL)
    seen = {sha: [span.end_after for span in audited.line.standing(sha)[1]] for sha in (unscanned, partial)}
    assert seen == {unscanned: [None], partial: [0]}
