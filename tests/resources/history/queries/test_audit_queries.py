"""Queries of the history, over a real repository and scans as the runner would record them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from infraaudit.questions.findings import compare, findings_at
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.errors import HistoryError
from infraaudit_domain.reporting.columns import FINDING_COLUMNS, TREND_COLUMNS
from infraaudit_domain.scans.findings import Finding
from resources.history import History
from resources.history.queries import trends as changes_over_time
from resources.history.queries.lives import blame
from resources.history.queries.trends import trend_rows, trends
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding, scan
from tests.resources.databases import DATABASES, fresh_history

NOW = datetime(2024, 1, 1, tzinfo=UTC)
BODY = "".join(f"line {number}\n" for number in range(20))


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


class Audit:
    """A repository whose commits have scans: x introduced, y introduced, the file renamed, x fixed, x back."""

    def __init__(self, history: History, repository: Repository) -> None:
        self.history, self.repository = history, repository
        self.first = repository.write({"main.tf": BODY}, "first")
        self.second = repository.write({"other.txt": "1"}, "second")
        self.renamed = repository.write({"main.tf": None, "infra/new.tf": BODY}, "rename")
        self.fixed = repository.write({"other.txt": "2"}, "fix")
        self.back = repository.write({"other.txt": "3"}, "back")
        self.mirror = repository.mirror()
        self.scan(self.first, finding("x"))
        self.scan(self.second, finding("x"), finding("y"))
        self.scan(self.renamed, finding("x", "infra/new.tf"), finding("y", "infra/new.tf"))
        self.scan(self.fixed, finding("y", "infra/new.tf"))
        self.scan(self.back, finding("x", "infra/new.tf"), finding("y", "infra/new.tf", "suppressed"))

    def scan(self, sha: str, *found: Finding) -> None:
        self.history.record_commit("p", self.mirror.commit(sha))
        self.history.record_scan("p", scan(sha, list(found)))

    @property
    def line(self) -> Line:
        return Line(self.history, self.mirror, "p", "main").follow()


@pytest.fixture
def audit(history: History, repository: Repository) -> Audit:
    return Audit(history, repository)


def test_findings_know_their_first_commit_through_a_rename_and_a_reopening(audit: Audit) -> None:
    rows = findings_at(audit.line, audit.back, NOW)
    assert tuple(rows.columns) == FINDING_COLUMNS
    found = {row["resource"]: row for row in rows.to_dict("records")}
    assert (found["x"]["introduced_by"], found["x"]["opened_by"]) == (audit.first, audit.back)
    assert (found["y"]["introduced_by"], found["y"]["status"]) == (audit.second, "suppressed")
    assert found["x"]["file_path"] == "infra/new.tf" and found["x"]["author"] == "Ada"
    assert found["x"]["introduced_at"] == audit.mirror.commit(audit.first).committed_at.isoformat()


def test_new_since_leaves_out_what_stood_there_under_another_name(audit: Audit) -> None:
    rows = findings_at(audit.line, audit.renamed, NOW, since=audit.first)
    assert list(rows["resource"]) == ["y"]
    assert list(findings_at(audit.line, audit.renamed, NOW, since=audit.second)["resource"]) == []


def test_a_commit_beside_the_branch_has_lives_of_its_own(audit: Audit) -> None:
    audit.repository.git("checkout", "-q", "-b", "side", audit.second)
    side = audit.repository.write({"side.txt": "1"}, "side")
    audit.mirror.fetch()
    audit.scan(side, finding("x"), finding("y"), finding("z"))
    found = {row["resource"]: row["introduced_by"] for row in findings_at(audit.line, side, NOW).to_dict("records")}
    assert found == {"x": audit.first, "y": audit.second, "z": side}
    assert "z" not in set(findings_at(audit.line, audit.back, NOW)["resource"])


def test_a_commit_that_was_not_scanned_says_what_to_run(audit: Audit) -> None:
    sha = audit.repository.write({"other.txt": "4"}, "unscanned")
    audit.mirror.fetch()
    with pytest.raises(HistoryError, match=f"infraaudit scan --project p --commit {sha[:12]}"):
        findings_at(audit.line, sha, NOW)


def test_trends_balance(audit: Audit) -> None:
    rows = trends(audit.line)
    assert tuple(rows.columns) == TREND_COLUMNS
    assert rows[["open", "introduced", "fixed", "reopened", "suppressed"]].to_numpy().tolist() == [
        [1, 1, 0, 0, 0],
        [2, 1, 0, 0, 0],
        [2, 0, 0, 0, 0],
        [1, 0, 1, 0, 0],
        [1, 0, 0, 1, 1],
    ]


@pytest.mark.parametrize("by", [None, "file"])
def test_trends_are_the_same_however_many_steps_are_counted_at_once(
    audit: Audit, by: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = [audit.repository.write({"other.txt": text}, "without findings") for text in "56"]
    audit.mirror.fetch()
    for sha in without:
        audit.scan(sha)
    at_once = trends(audit.line, by)
    assert at_once[["group", "open", "fixed"]].to_numpy().tolist()[-1] == ["" if by else "all", 0, 0]
    monkeypatch.setattr(changes_over_time, "_CELLS", 1)
    pd.testing.assert_frame_equal(trends(audit.line, by), at_once)
    assert trend_rows(audit.line, by) == at_once.to_dict("records")


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("severity", {"high"}),
        ("check", {"CKV_1"}),
        ("framework", {"terraform"}),
        ("file", {"infra/new.tf"}),
        ("directory", {"infra"}),
        ("author", {"Ada"}),
    ],
)
def test_trends_by_group_add_up(audit: Audit, by: str, groups: set[str]) -> None:
    rows = trends(audit.line, by)
    last = rows[(rows["commit"] == audit.back) & (rows["open"] > 0)]
    assert set(last["group"]) == groups and last["open"].sum() == 1


def test_trends_of_a_day_end_with_its_last_commit(audit: Audit) -> None:
    rows = trends(audit.line, every="day")
    assert rows["commit"].iloc[-1] == audit.back
    assert rows[["introduced", "fixed", "reopened"]].sum().tolist() == [2, 1, 1]
    moment = audit.mirror.commit(audit.fixed).committed_at
    assert list(trends(audit.line, since=moment, until=moment)["commit"]) == [audit.fixed]


def test_blame_lists_every_event_and_when_it_was_live(audit: Audit) -> None:
    at = NOW
    for sha in (audit.second, audit.fixed):
        at += timedelta(hours=1)
        audit.history.record_deployment(Deployment("p", "production", sha, "container", Outcome.DEPLOYED, at, at))
    rows = blame(audit.line, "production", path="main.tf")
    events = rows[rows["resource"] == "x"][["event", "commit"]].to_numpy().tolist()
    assert events == [
        ["introduced", audit.first],
        ["moved", audit.renamed],
        ["fixed", audit.fixed],
        ["reopened", audit.back],
    ]
    first = rows[(rows["resource"] == "x") & (rows["event"] == "introduced")].iloc[0]
    assert first["live_from"] == (NOW + timedelta(hours=1)).isoformat()
    assert first["live_to"] == (NOW + timedelta(hours=2)).isoformat()
    one = blame(audit.line, "production", finding=first["id"][:8])
    assert set(one["life"]) == {first["life"]} and len(one) == 4


def test_compare_names_what_was_added_removed_and_moved(audit: Audit) -> None:
    rows = compare(audit.line, audit.first, audit.fixed)
    assert sorted(rows[["change", "resource"]].to_numpy().tolist()) == [["added", "y"], ["removed", "x"]]
    moved = compare(audit.line, audit.second, audit.renamed)
    assert list(moved["change"]) == ["moved", "moved"]
