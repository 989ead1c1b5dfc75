"""Stored lifecycles equal those that a reference computes from every scan, in any order of events."""

import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infraaudit.scans.cross_scans import cross_scan, record_cross_scan, unexplained
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.scans.findings import FrameworkScan, Scan, ScanStatus, UnreadableFile
from resources.history import History, schema
from resources.history.retention import prune
from tests.infraaudit.scans.made_scans import NOW, PretendMirror, finding, scan
from tests.resources.databases import DATABASES, fresh_history, migrated_history


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


def lives(history: History, project: str = "p") -> list[tuple]:
    table = schema.spans
    columns = ("start_position", "file_path", "resource", "status", "started_as", "start_cause", "end_position",
               "ended_as", "end_cause", "introduced_position", "opened_position", "life")  # fmt: skip
    query = sa_select(table, columns).where(table.c.project == project)
    with history.reading() as connection:
        return sorted(tuple("" if value is None else value for value in row) for row in connection.execute(query))


def sa_select(table, columns):  # type: ignore[no-untyped-def]
    import sqlalchemy as sa

    return sa.select(*(table.c[name] for name in columns))


def follow(history: History, mirror: PretendMirror, project: str = "p") -> Line:
    return Line(history, mirror, project, "main").follow()


def test_a_life_from_introduction_over_move_suppression_and_fix_to_reopening(history: History) -> None:
    mirror = PretendMirror(list("abcdef"), {"c": {"main.tf": "new.tf"}})
    for sha, found in {
        "a": [],
        "b": [finding("x")],
        "c": [finding("x", "new.tf")],
        "d": [finding("x", "new.tf", "suppressed")],
        "e": [],
        "f": [finding("x", "new.tf")],
    }.items():
        history.record_scan("p", scan(sha, found))
    follow(history, mirror)
    rows = lives(history)
    assert [row[4:9] for row in rows] == [
        ("introduced", "code", 2, "moved", "code"),
        ("moved", "code", 3, "suppressed", "code"),
        ("suppressed", "code", 4, "fixed", "code"),
        ("reopened", "code", "", "", ""),
    ]
    assert {row[9] for row in rows} == {1} and rows[-1][10] == 5 and len({row[11] for row in rows}) == 1


def test_lives_outlast_the_findings_that_were_pruned(history: History) -> None:
    mirror = PretendMirror(list("abcdefg"))
    scans = {"a": [], "b": [finding("x")], "c": [finding("x"), finding("y")], "d": [finding("x")], "e": [finding("x")]}
    for sha, found in scans.items():
        history.record_scan("p", scan(sha, found))
    follow(history, mirror)
    before = lives(history)
    assert [row[9] for row in before] == [1, 2]
    prune(history, "p", ["a", "b", "c", "d"])
    history.record_scan("p", scan("a", scans["a"]))
    follow(history, mirror)
    assert lives(history) == before
    history.record_scan("p", scan("c", scans["c"]))
    history.record_scan("p", scan("f", []))
    follow(history, mirror)
    assert lives(history) == [
        (*row[:6], *((5, "fixed", "code") if row[6] == "" else row[6:9]), *row[9:]) for row in before
    ]


@pytest.mark.parametrize("status", [ScanStatus.PARTIAL, ScanStatus.FAILED])
def test_a_scan_that_is_not_complete_closes_nothing(history: History, status: ScanStatus) -> None:
    history.record_scan("p", scan("a", [finding("x")]))
    history.record_scan("p", scan("b", [], status))
    history.record_scan("p", scan("c", [finding("x")]))
    follow(history, PretendMirror(list("abc")))
    assert [row[:1] + row[6:7] for row in lives(history)] == [(0, "")]


def test_a_finding_in_a_renamed_file_that_could_not_be_read_is_carried_to_the_next_complete_scan(
    history: History,
) -> None:
    history.record_scan("p", scan("a", [finding("x", "old.tf")]))
    history.record_scan("p", scan("b", [], ScanStatus.PARTIAL))
    history.record_scan("p", scan("c", [finding("x", "new.tf")]))
    follow(history, PretendMirror(list("abc"), {"b": {"old.tf": "new.tf"}}))
    assert [(row[1], row[4], row[7]) for row in lives(history)] == [
        ("old.tf", "introduced", "moved"),
        ("new.tf", "moved", ""),
    ]


def test_a_new_scanner_is_distinguished_from_new_code(history: History) -> None:
    history.record_scan("p", scan("a", [finding("x")]))
    history.record_scan("p", scan("b", [finding("y")], version="4"))
    follow(history, PretendMirror(list("ab")))
    assert {(row[2], row[5], row[8]) for row in lives(history)} == {("x", "code", "scanner"), ("y", "scanner", "")}


def test_a_cross_scan_that_comes_later_shows_which_findings_the_code_changed(history: History) -> None:
    mirror = PretendMirror(list("ab"))
    history.record_scan("p", scan("a", [finding("gone"), finding("unruled")]))
    history.record_scan("p", scan("b", [finding("written"), finding("ruled")], version="4"))
    line = follow(history, mirror)
    assert unexplained(line, "4") == [("a", "b")] and unexplained(line, "3") == []
    record_cross_scan(history, "p", "b", scan("a", [finding("gone"), finding("ruled")], version="4"))
    assert unexplained(follow(history, mirror), "4") == []
    assert {row[2]: row[8] or row[5] for row in lives(history)} == {
        "gone": "code",
        "unruled": "scanner",
        "written": "code",
        "ruled": "scanner",
    }
    stored = cross_scan(history, "p", "a", "b")
    assert stored is not None and (stored.sha, stored.scanner_version, len(stored.findings)) == ("a", "4", 2)


def test_a_force_push_leaves_only_the_lives_of_the_new_line(history: History) -> None:
    for sha, found in {"a": [finding("x")], "b": [], "c": [finding("y")], "B": [finding("x"), finding("z")]}.items():
        history.record_scan("p", scan(sha, found))
    follow(history, PretendMirror(list("abc")))
    follow(history, PretendMirror(["a", "B"]))
    assert [(row[0], row[2], row[6]) for row in lives(history)] == [(0, "x", ""), (1, "z", "")]


def test_a_partial_result_that_became_complete_counts_for_every_commit_that_shares_it(history: History) -> None:
    partial, whole = scan("b", [], ScanStatus.PARTIAL), scan("c", [])
    shared = FrameworkScan("terraform", "k", ScanStatus.PARTIAL, (), (UnreadableFile("main.tf", "not read"),))
    history.record_scan("p", scan("a", [finding("x")]))
    history.record_scan("p", Scan("b", (shared,), "3", "c", NOW, 1.0))
    follow(history, PretendMirror(list("abc")))
    assert lives(history)[0][6] == ""
    complete = FrameworkScan("terraform", "k", ScanStatus.COMPLETE, ())
    history.record_scan("p", Scan("c", (complete,), "3", "c", NOW, 1.0))
    follow(history, PretendMirror(list("abc")))
    assert lives(history)[0][6] == 1
    history.record_scan("p", Scan("c", (shared,), "3", "c", NOW, 1.0))
    assert history.framework_scan("k") is not None
    assert partial.status is not whole.status


@pytest.fixture(scope="module")
def shared_history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    history = migrated_history(tmp_path_factory.mktemp("lives"))
    yield history
    history.close()


marks = st.frozensets(
    st.tuples(st.sampled_from("uvw"), st.sampled_from(["m.tf", "n.tf"]), st.sampled_from(["open", "suppressed"])),
    max_size=4,
)
commits = st.lists(
    st.tuples(marks, st.sampled_from([*[ScanStatus.COMPLETE] * 4, ScanStatus.PARTIAL, ScanStatus.FAILED]), st.booleans()),
    min_size=1,
    max_size=8,
)  # fmt: skip


@given(commits, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_of_recording_gives_the_lives_of_the_reference(
    shared_history: History, history_of: list, shuffle: random.Random
) -> None:
    line = [f"{position}" for position in range(len(history_of))]
    moved = {sha: {"m.tf": "n.tf"} for sha, (_, _, renamed) in zip(line, history_of, strict=True) if renamed}
    mirror = PretendMirror(line, moved)
    scans = {}
    for sha, (found, status, _) in zip(line, history_of, strict=True):
        unique = {finding(r, p).fingerprint: finding(r, p, s) for r, p, s in sorted(found)}
        scans[sha] = scan(sha, list(unique.values()), status)
    history, project = shared_history, uuid.uuid4().hex
    order = list(line)
    shuffle.shuffle(order)
    for sha in order:
        history.record_scan(project, scans[sha])
        if shuffle.random() < 0.5:
            follow(history, mirror, project)
    follow(history, mirror, project)
    expected = reference(line, scans, mirror)
    assert standing(history, project, len(line)) == expected


def standing(history: History, project: str, length: int) -> list[dict[str, str]]:
    rows = lives(history, project)
    return [
        {f"{row[1]} {row[2]}": row[3] for row in rows if row[0] <= position and (row[6] == "" or row[6] > position)}
        for position in range(length)
    ]


def reference(line: list[str], scans: dict[str, Scan], mirror: PretendMirror) -> list[dict[str, str]]:
    """The open findings after every commit, computed the slow way."""
    stands: dict[str, str] = {}
    result, last = [], None
    for sha in line:
        one = scans[sha]
        if one.status is not ScanStatus.FAILED:
            now = {f"{f.file_path} {f.resource}": f.status.value for f in one.findings}
            paths: Mapping[str, str] = mirror.renames(last, sha) if last is not None else {}
            if one.status is ScanStatus.COMPLETE:
                stands = now
            else:
                carried = {}
                for name, state in stands.items():
                    path, resource = name.split()
                    followed = f"{paths.get(path, path)} {resource}"
                    if name not in now and followed not in stands and paths.get(path):
                        carried[followed] = state
                    else:
                        carried[name] = state
                stands = carried | now
            last = sha
        result.append(dict(stands))
    return result
