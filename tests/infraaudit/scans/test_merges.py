"""Merged branches in a real repository: who introduced and fixed what a merge brought, and what is new against live."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit.scans.lifecycles import Line
from infraaudit.scans.unknown_events import unknown_events
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.scans.findings import FindingStatus
from resources.history import History
from resources.history.queries.exposure import exposure
from resources.history.queries.lives import life_events
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
    return Audited(history, repository)


def test_the_commit_of_a_merged_branch_is_named_and_not_the_merge(audited: Audited) -> None:
    base = audited.commit(finding("old"))
    audited.switch("side", base)
    audited.commit(finding("old"), finding("came and went"))
    fixed = audited.commit()
    opened = audited.commit(finding("port"))
    audited.switch("main")
    audited.commit(finding("old"))
    audited.merge("side", finding("port"))
    assert audited.events() == [
        ("old", "introduced", base, "exact"),
        ("old", "fixed", fixed, "exact"),
        ("port", "introduced", opened, "exact"),
    ]


def test_a_side_that_is_scanned_later_names_its_commit_then(audited: Audited) -> None:
    base = audited.commit()
    audited.switch("side", base)
    opened = audited.commit(scanned=False)
    audited.switch("main")
    audited.commit()
    merge = audited.merge("side", finding("port"))
    assert audited.events() == [("port", "introduced", merge, "between")]
    audited.scan(opened, finding("port"))
    assert audited.events() == [("port", "introduced", opened, "exact")]


TEXT = "".join(f"line {number}\n" for number in range(30))


@pytest.mark.parametrize("event", ["suppressed", "moved"])
def test_what_a_branch_suppressed_or_moved_is_its_commits_doing(audited: Audited, event: str) -> None:
    port = replace(finding("port"), file_path="a.tf")
    is_moved = event == "moved"
    after = replace(port, file_path="b.tf") if is_moved else replace(port, status=FindingStatus.SUPPRESSED)
    base = audited.commit(port, files={"a.tf": TEXT})
    audited.switch("side", base)
    did = audited.commit(files={"a.tf": None, "b.tf": TEXT} if is_moved else {"a": "b"}, scanned=False)
    audited.commit(after, files={"c": "d"})
    audited.switch("main")
    audited.commit(port, files={"e": "f"})
    audited.repository.git("merge", "--quiet", "--no-ff", "-m", "Merge", "side")
    merge = audited.scan(audited.repository.git("rev-parse", "HEAD"), after)
    assert audited.events() == [("port", "introduced", base, "exact"), ("port", event, merge, "between")]
    (unknown,) = unknown_events(audited.line, after.fingerprint)
    assert (unknown.event, unknown.next) == (event, did)
    audited.scan(did, after)
    assert audited.events() == [("port", "introduced", base, "exact"), ("port", event, did, "exact")]


def test_a_merge_that_adds_what_no_parent_has_is_named_itself(audited: Audited) -> None:
    base = audited.commit(finding("kept"))
    audited.switch("side", base)
    audited.commit(finding("kept"))
    audited.switch("main")
    audited.commit(finding("kept"))
    merge = audited.merge("side", finding("evil"))
    assert audited.events() == [
        ("kept", "introduced", base, "exact"),
        ("kept", "fixed", merge, "exact"),
        ("evil", "introduced", merge, "exact"),
    ]


def test_an_octopus_merge_names_the_commit_of_each_branch(audited: Audited) -> None:
    base = audited.commit()
    made = {}
    for name in ("a", "b"):
        audited.switch(name, base)
        made[name] = audited.commit(finding(name), files={f"{name}.txt": name})
    audited.switch("main")
    audited.commit(files={"main.txt": "m"})
    audited.repository.git("merge", "--quiet", "-m", "Merge both", "a", "b")
    audited.scan(audited.repository.git("rev-parse", "HEAD"), finding("a"), finding("b"))
    assert {event[0]: event[2] for event in audited.events()} == made


def test_a_file_that_is_renamed_on_the_branch_is_followed_along_its_edges(audited: Audited) -> None:
    text = "".join(f"line {number}\n" for number in range(40))
    base = audited.commit(files={"a.tf": text})
    audited.switch("side", base)
    opened = audited.commit(finding("port", "a.tf"), files={"a.tf": text + "port\n"})
    audited.commit(finding("port", "b.tf"), files={"a.tf": None, "b.tf": text + "port\n"})
    audited.switch("main")
    audited.commit(files={"other.txt": "x"})
    audited.repository.git("merge", "--quiet", "--no-ff", "-m", "Merge", "side")
    audited.scan(audited.repository.git("rev-parse", "HEAD"), finding("port", "b.tf"))
    assert audited.events() == [("port", "introduced", opened, "exact")]


def test_a_branch_that_is_not_merged_changes_nothing_on_the_line_until_it_is(audited: Audited) -> None:
    base = audited.commit()
    audited.switch("side", base)
    opened = audited.commit(finding("port"))
    audited.switch("main")
    audited.commit()
    assert audited.events() == []
    audited.merge("side", finding("port"))
    assert audited.events() == [("port", "introduced", opened, "exact")]


def test_what_was_live_beside_the_line_counts_for_the_life_on_it_or_by_itself(audited: Audited) -> None:
    base = audited.commit()
    audited.switch("side", base)
    side = audited.commit(finding("port"), finding("side only"))
    audited.switch("another", side)
    audited.commit(scanned=False)
    later = audited.commit(finding("since when"), finding("side only", "renamed.tf"))
    audited.switch("main")
    audited.commit()
    merge = audited.merge("side", finding("port"))
    line = Line(audited.history, audited.mirror, "p", "main").follow()
    for hour, sha in ((0, base), (1, side), (25, merge), (49, base), (50, later), (51, base)):
        at = NOW + timedelta(hours=hour)
        audited.history.record_deployment(Deployment("p", "production", sha, "container", Outcome.DEPLOYED, at, at))
    rows = exposure(line, "production", NOW + timedelta(hours=60)).to_dict("records")
    assert {
        (row["resource"], row["file_path"]): (row["hours_exposed"], row["introduced_by"], row["introduced_certainty"])
        for row in rows
    } == {
        ("port", "main.tf"): (48.0, side, "exact"),
        ("side only", "main.tf"): (24.0, side, "exact"),
        ("side only", "renamed.tf"): (1.0, later, "before"),
        ("since when", "main.tf"): (1.0, later, "before"),
    }
    assert not any(row["live_now"] for row in rows)
    (port,) = [row for row in life_events(line, "production") if row["resource"] == "port"]
    assert port["live_from"] == (NOW + timedelta(hours=1)).isoformat()
    assert port["live_to"] == (NOW + timedelta(hours=49)).isoformat()
