"""What a scan read, by framework, and since which commit a gap stands."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit.questions.asked import Asked, ProjectRules
from infraaudit.questions.coverage import coverage, coverage_gaps
from infraaudit_domain.commits import Commit
from infraaudit_domain.errors import NotScannedError
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.evidence import EVERY_FILE, Evidence
from infraaudit_domain.scans.findings import FrameworkScan, Scan, ScanStatus, UnreadableFile
from resources.history import History, schema
from resources.history.stored_line import stored_line

SHAS = [f"{n}" * 40 for n in range(1, 6)]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GAPS: list[list[str] | None] = [["a.yaml"], [], ["a.yaml"], None, ["a.yaml", "b.yaml"]]
"""What Kubernetes could not read of each commit; the fourth was not scanned."""


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    past = History(f"sqlite:///{tmp_path}/history.db")
    past.migrate()
    past.record_project(Project("shop", "https://example.org/shop.git"))
    for index, (sha, paths) in enumerate(zip(SHAS, GAPS, strict=True)):
        then = NOW + timedelta(hours=index)
        past.record_commit("shop", Commit(sha, sha, (), "Ada", "ada@example.org", then, then, "a"))
        if paths is not None:
            past.record_scan("shop", scan(sha, [UnreadableFile(path, f"{path} is broken") for path in paths]))
    rows = [
        {"project": "shop", "branch": "main", "position": n, "sha": sha, "followed": True} for n, sha in enumerate(SHAS)
    ]
    with past.writing() as connection:
        connection.execute(schema.line_commits.insert(), rows)
    return Asked(stored_line(past, "shop"), ProjectRules(), NOW, {"commit": SHAS[4]})


def scan(sha: str, unread: list[UnreadableFile]) -> Scan:
    status = ScanStatus.PARTIAL if unread else ScanStatus.COMPLETE
    parts = (
        FrameworkScan("kubernetes", f"k{sha}", status, (), tuple(unread), reason="why", evidence=Evidence(5)),
        FrameworkScan("terraform", f"t{sha}", ScanStatus.FAILED, (), evidence=Evidence(2)),
        FrameworkScan("arm", f"a{sha}", ScanStatus.COMPLETE, ()),
    )
    return Scan(sha, parts, "3.3", "config", NOW, 1.0)


def test_each_framework_says_what_it_read_and_since_when_it_has_a_gap(asked: Asked) -> None:
    rows, total = coverage(asked)
    assert total == 3
    reported = {row["framework"]: [row[name] for name in ("expected", "read", "unread", "since")] for row in rows}
    assert reported == {"arm": [None, None, 0, None], "kubernetes": [5, 3, 2, SHAS[2]], "terraform": [2, 0, 2, None]}


def test_a_gap_stands_since_the_last_commit_that_was_read(asked: Asked) -> None:
    rows, _ = coverage_gaps(asked)
    assert [(row["file_path"], row["reason"], row["since"]) for row in rows] == [
        ("a.yaml", "a.yaml is broken", SHAS[2]),
        ("b.yaml", "b.yaml is broken", SHAS[4]),
    ]


def test_the_templates_of_a_chart_are_told_once(asked: Asked) -> None:
    chart = [UnreadableFile(f"web/templates/{n}.yaml", "not rendered", part_of="web/Chart.yaml") for n in range(143)]
    asked.history.record_scan("shop", scan(SHAS[4], [*chart, UnreadableFile("a.yaml", "broken")]))
    rows, total = coverage_gaps(asked)
    reported = [(row["file_path"], row["files"], row["since"]) for row in rows]
    assert total == 2 and reported == [("web/Chart.yaml", 143, SHAS[4]), ("a.yaml", 1, SHAS[2])]
    assert {row["framework"]: row["unread"] for row in coverage(asked)[0]}["kubernetes"] == 144


def test_files_that_are_not_listed_are_counted(asked: Asked) -> None:
    many = [UnreadableFile("a.yaml", "broken"), UnreadableFile(EVERY_FILE, "and 3 more files that could not be read")]
    asked.history.record_scan("shop", scan(SHAS[4], many))
    assert {row["framework"]: row["unread"] for row in coverage(asked)[0]}["kubernetes"] == 4
    assert [row["files"] for row in coverage_gaps(asked)[0]] == [1, 3]


def test_a_commit_without_a_scan_has_no_coverage(asked: Asked) -> None:
    with pytest.raises(NotScannedError):
        coverage(Asked(asked.line, asked.rules, NOW, {"commit": SHAS[3]}))
