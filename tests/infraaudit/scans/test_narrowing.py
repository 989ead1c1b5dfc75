"""Commits of events are named by scanning few of a real repository; the scanner alone is a stand-in."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from infraaudit.scans.cross_scanning import Runner
from infraaudit.scans.lifecycles import Line
from infraaudit.scans.narrowing import Narrowed, narrow
from infraaudit.scans.unknown_events import narrow_rows, one_finding
from infraaudit_domain.errors import NotThereError, ScanError
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Finding, Scan, ScanStatus
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.queries.lives import life_events
from resources.history.queries.scanned_past import ScannedPast, scanned_past
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding, scan
from tests.resources.databases import DATABASES, fresh_history

PORT = finding("port")
PROJECT = Project("p", "/nowhere")


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


class Past:
    """A repository, what a scan of each commit would find, and a scanner that says so."""

    def __init__(self, history: History, repository: Repository) -> None:
        self.history, self.repository = history, repository
        self.shas: list[str] = []
        self.found: dict[str, tuple[Finding, ...]] = {}
        self.broken: set[str] = set()
        self.failing: set[str] = set()
        self.unread: set[str] = set()
        self.scanned: list[str] = []
        self.interrupted_at = 0

    def commits(self, *counts: tuple[int, tuple[Finding, ...]]) -> None:
        """So many commits with these findings, and so many with those."""
        for count, found in counts:
            for _ in range(count):
                self.commit(*found)

    def commit(self, *found: Finding, files: dict[str, str | None] | None = None) -> str:
        sha = self.repository.write(files or {"count.txt": str(len(self.found))}, "next")
        return self.made(sha, *found)

    def made(self, sha: str, *found: Finding) -> str:
        self.shas.append(sha)
        self.found[sha] = found
        return sha

    def scan(self, mirror: Mirror, sha: str, config_path: str, config_of: str | None = None) -> Scan:
        if self.interrupted_at and len(self.scanned) + 1 == self.interrupted_at:
            raise KeyboardInterrupt
        self.scanned.append(sha)
        if sha in self.broken:
            raise ScanError("the scanner does not start")
        if sha in self.failing:
            return scan(sha, [], ScanStatus.FAILED)
        return scan(sha, [], ScanStatus.PARTIAL) if sha in self.unread else scan(sha, list(self.found[sha]))

    def __enter__(self) -> "Past":
        return self

    def __exit__(self, *_: object) -> None: ...

    def record(self, *shas: str) -> None:
        mirror = self.repository.mirror()
        for sha in shas:
            self.history.record_commit("p", mirror.commit(sha))
            self.history.record_scan("p", self.scan(mirror, sha, ""))
        self.scanned.clear()

    @property
    def line(self) -> Line:
        return Line(self.history, self.repository.mirror(), "p", "main").follow()

    def narrow(self, limit: int = 40, wanted: Finding = PORT) -> Narrowed:
        return narrow(self.line, PROJECT, wanted.fingerprint, cast(Runner, lambda: self), limit)

    def events(self) -> list[tuple[str, str, str]]:
        return [(row["event"], row["commit"], row["certainty"]) for row in life_events(self.line, "production")]


@pytest.fixture
def past(history: History, repository: Repository) -> Past:
    history.record_project(PROJECT)
    return Past(history, repository)


def test_a_finding_from_before_what_was_scanned_gets_its_commit(past: Past) -> None:
    past.commits((17, ()), (13, (PORT,)))
    past.record(past.shas[-1])
    assert past.events() == [("found", past.shas[29], "before")]
    done = past.narrow()
    assert (done.scans, done.cross_scans, done.left) == (len(past.scanned), 0, [])
    assert done.scans <= 5
    assert past.events() == [("introduced", past.shas[17], "exact")]
    assert past.narrow().scans == 0


def test_what_has_been_there_since_the_root_is_named_too(past: Past) -> None:
    past.commits((9, (PORT,)))
    past.record(past.shas[-1])
    assert past.narrow().scans <= 4
    assert past.events() == [("introduced", past.shas[0], "exact")]


def test_introduction_and_fix_are_both_found_in_between(past: Past) -> None:
    past.commits((20, ()), (20, (PORT,)), (20, ()))
    past.record(past.shas[0], past.shas[30], past.shas[59])
    assert past.events() == [("introduced", past.shas[30], "between"), ("fixed", past.shas[59], "between")]
    assert past.narrow().scans <= 10
    assert past.events() == [("introduced", past.shas[20], "exact"), ("fixed", past.shas[40], "exact")]


def test_a_file_that_was_renamed_on_the_way_is_followed(past: Past) -> None:
    text = "".join(f"line {number}\n" for number in range(40))
    old, new = finding("port", "a.tf"), finding("port", "b.tf")
    past.commit(files={"a.tf": text})
    past.commits((4, ()), (4, (old,)))
    past.commit(new, files={"a.tf": None, "b.tf": text})
    past.commits((5, (new,)))
    past.record(past.shas[0], past.shas[-1])
    assert past.narrow(wanted=new).left == []
    assert past.events() == [("introduced", past.shas[5], "exact"), ("moved", past.shas[9], "exact")]


def test_commits_that_cannot_be_scanned_are_passed_over_and_named_where_they_hide_the_event(past: Past) -> None:
    past.commits((8, ()), (8, (PORT,)))
    past.broken, past.failing = {past.shas[8]}, {past.shas[7]}
    past.record(past.shas[0], past.shas[15])
    (left,) = past.narrow().left
    assert (left.event, left.after, left.commit, left.next) == ("introduced", past.shas[6], past.shas[9], None)
    assert f"{past.shas[8][:12]} could not be scanned: the scanner does not start" in left.reason
    assert f"{past.shas[7][:12]} could not be scanned" in left.reason
    assert len(set(past.scanned)) == len(past.scanned)


def test_a_commit_whose_file_was_not_read_is_named_as_such(past: Past) -> None:
    past.commits((3, ()), (3, (PORT,)))
    past.unread = {past.shas[3]}
    past.record(past.shas[0], past.shas[5])
    (left,) = past.narrow().left
    assert left.reason == f"main.tf was not read at {past.shas[3][:12]}"


@pytest.fixture
def merged(past: Past) -> Past:
    """base, five commits of a side of which the third adds a port, one of the trunk, and the merge."""
    past.commit()
    past.repository.git("switch", "--quiet", "-c", "side")
    past.commits((2, ()), (3, (PORT,)))
    past.repository.git("switch", "--quiet", "main")
    past.commit(files={"main.txt": "m"})
    past.repository.git("merge", "--quiet", "--no-ff", "-m", "Merge", "side")
    past.made(past.repository.git("rev-parse", "HEAD"), PORT)
    return past


def test_the_commits_of_a_merged_branch_are_scanned_too(merged: Past) -> None:
    merged.record(merged.shas[0], merged.shas[-1])
    done = merged.narrow()
    assert merged.events() == [("introduced", merged.shas[3], "exact")]
    assert (done.left, done.scans) == ([], 5), "the trunk, and from the tip to the parent of the third"


def test_a_commit_of_a_merged_branch_that_cannot_be_scanned_is_named(merged: Past) -> None:
    merged.broken = {merged.shas[4]}
    merged.record(merged.shas[0], merged.shas[-1])
    (left,) = merged.narrow().left
    assert left.certainty == "between" and merged.shas[4][:12] in left.reason


def test_a_search_that_is_limited_or_interrupted_resumes_where_it_stopped(past: Past) -> None:
    past.commits((30, ()), (30, (PORT,)))
    past.record(past.shas[0], past.shas[-1])
    (left,) = past.narrow(limit=2).left
    assert left.next and len(past.scanned) == 2
    past.interrupted_at = 4
    with pytest.raises(KeyboardInterrupt):
        past.narrow()
    past.interrupted_at = 0
    past.narrow()
    assert past.events() == [("introduced", past.shas[30], "exact")]
    assert len(past.scanned) == len(set(past.scanned)) <= 6


def test_the_rows_name_the_next_commit_and_the_command(past: Past) -> None:
    past.commits((4, ()), (4, (PORT,)))
    past.record(past.shas[0], past.shas[7])
    (row,) = narrow_rows(past.line, PORT.fingerprint)
    expected: dict[str, Any] = {"event": "introduced", "after": past.shas[0], "commit": past.shas[7]}
    assert expected.items() <= row.items()
    assert row["next"] == past.shas[4]
    assert row["run"] == f"infraaudit blame {PORT.fingerprint} --narrow --project p"
    past.narrow()
    assert narrow_rows(past.line, PORT.fingerprint) == []


def test_a_finding_is_known_by_the_beginning_of_its_id_and_of_its_life(past: Past) -> None:
    past.commit(PORT, finding("other"))
    past.record(past.shas[0])
    life = next(r["life"] for r in life_events(past.line, "production") if r["id"] == PORT.fingerprint)
    assert one_finding(past.line, PORT.fingerprint[:12]) == PORT.fingerprint
    assert one_finding(past.line, life) == PORT.fingerprint
    for given, reported in (("", "More than one"), ("f" * 32, "ever had a finding")):
        with pytest.raises(NotThereError, match=reported):
            one_finding(past.line, given)


def test_how_much_is_scanned_counts_what_could_not_be_apart(past: Past) -> None:
    past.commits((8, ()))
    assert scanned_past(past.line) == ScannedPast(None, 8, 8, 8, 0, 0)
    past.failing = {past.shas[1], past.shas[5]}
    past.record(past.shas[1], past.shas[3], past.shas[5], past.shas[6])
    assert scanned_past(past.line) == ScannedPast(past.shas[3], 8, 3, 4, 2, 0)
