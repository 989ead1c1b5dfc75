"""latest_scan.json: the newest scanned commit of the deploy branch, in whatever order and process scans end."""

import json
import multiprocessing
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import pytest

from infraaudit.scans.against_parent import CountedScan
from infraaudit.scans.report_files import write_report
from infraaudit.scans.scan_commit import Reports as Kept
from infraaudit.scans.scan_commit import publish_newest
from infraaudit_domain.lifecycles.changes import compare_scans
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import FrameworkScan, Scan, ScanStatus
from resources.git.mirror import Mirror
from resources.machine.artifact_store import ArtifactStore
from tests.conftest import Repository
from tests.resources.databases import migrated_history

SHOP = Project("shop", "", default=True)


def scan_of(sha: str, status: ScanStatus = ScanStatus.COMPLETE) -> Scan:
    return Scan(sha, (FrameworkScan("terraform", f"key {sha}", status, ()),), "3", "x", datetime.now(UTC), 1.0)


class Reports:
    def __init__(self, folder: Path, repository: Repository) -> None:
        self.repository, self.store = repository, ArtifactStore(folder / "state", folder / "reports")

    def write(self, sha: str, status: ScanStatus = ScanStatus.COMPLETE) -> None:
        write(self.store, self.repository.mirror(), scan_of(sha, status))

    def shown(self) -> list[str]:
        return [json.loads(path.read_text())["commit"] for path in self.store.latest_reports("shop", True)]


def write(store: ArtifactStore, mirror: Mirror, scan: Scan) -> None:
    write_report(store, mirror, SHOP, CountedScan(scan, None, compare_scans(scan, scan, {})))


@pytest.fixture
def reports(tmp_path: Path, repository: Repository) -> Reports:
    return Reports(tmp_path, repository)


def test_pushes_that_come_faster_than_scans_renew_it_and_nothing_takes_it_back(reports: Reports) -> None:
    first, second, third, _ = (reports.repository.write({"a": str(n)}, "a commit") for n in range(4))
    for sha, expected in ((second, second), (first, second), (third, third), (second, third)):
        reports.write(sha)
        assert reports.shown() == [expected] * 2, "the head was never scanned"


def test_any_order_ends_the_same(reports: Reports, tmp_path: Path) -> None:
    shas = [reports.repository.write({"a": str(n)}, "a commit") for n in range(3)]
    for number, order in enumerate(permutations(shas)):
        reports.store = ArtifactStore(tmp_path / str(number) / "state", tmp_path / str(number) / "reports")
        for sha in order:
            reports.write(sha)
        assert reports.shown() == [shas[-1]] * 2


def test_after_a_force_push_it_is_a_commit_of_the_new_line(reports: Reports) -> None:
    start, stays, goes = (reports.repository.write({"a": str(n)}, "a commit") for n in range(3))
    for sha in (start, stays, goes):
        reports.write(sha)
    reports.repository.git("reset", "--quiet", "--hard", stays)
    new = reports.repository.write({"a": "other"}, "instead")
    reports.write(start)
    assert reports.shown() == [stays] * 2, "the newest that was scanned and is still there"
    reports.write(goes)
    assert reports.shown() == [stays] * 2
    reports.write(new)
    assert reports.shown() == [new] * 2


@pytest.mark.parametrize("content", [None, b"", b"[1]", b'{"commit": ', b'{"project": "other", "commit": "%s"}'])
def test_a_file_that_is_missing_damaged_or_of_another_project_is_written_anew(
    reports: Reports, content: bytes | None
) -> None:
    old, new = (reports.repository.write({"a": str(n)}, "a commit") for n in range(2))
    reports.write(new)
    for path in reports.store.latest_reports("shop", True):
        path.unlink() if content is None else path.write_bytes(content.replace(b"%s", new.encode()))
    reports.write(old)
    assert reports.shown() == [new] * 2


def test_a_pruned_report_of_the_newest_is_no_reason_to_show_an_older_one(reports: Reports) -> None:
    old, new = (reports.repository.write({"a": str(n)}, "a commit") for n in range(2))
    reports.write(new)
    (reports.store.reports / "shop" / f"{new}.json").unlink()
    reports.write(old)
    assert reports.shown() == [new] * 2


def test_a_commit_beside_the_line_and_a_scan_that_failed_are_kept_and_not_shown(reports: Reports) -> None:
    first = reports.repository.write({"a": "1"}, "a commit")
    reports.repository.git("switch", "--quiet", "--create", "side")
    side = reports.repository.write({"b": "1"}, "on the side")
    reports.repository.git("switch", "--quiet", "main")
    reports.repository.git("merge", "--quiet", "--no-ff", "--message", "merge", "side")
    merge = reports.repository.git("rev-parse", "HEAD")
    reports.write(first)
    reports.write(side)
    reports.write(merge, ScanStatus.FAILED)
    assert reports.shown() == [first] * 2
    assert all((reports.store.reports / "shop" / f"{sha}.json").exists() for sha in (side, merge))
    reports.write(merge, ScanStatus.PARTIAL)
    assert reports.shown() == [merge] * 2


def _write_all(store: ArtifactStore, mirror: Mirror, shas: list[str]) -> None:
    for sha in shas:
        write(store, mirror, scan_of(sha))


def test_two_processes_at_the_same_time_never_take_it_back(reports: Reports) -> None:
    shas = [reports.repository.write({"a": str(n)}, "a commit") for n in range(12)]
    mirror, seen = reports.repository.mirror(), 0
    spawn = multiprocessing.get_context("fork")
    halves = (shas[::2], shas[1::2][::-1])
    processes = [spawn.Process(target=_write_all, args=(reports.store, mirror, half)) for half in halves]
    for process in processes:
        process.start()
    latest = reports.store.latest_reports("shop", True)[0]
    while any(process.is_alive() for process in processes):
        if latest.exists():
            place = shas.index(json.loads(latest.read_text())["commit"])
            assert place >= seen
            seen = place
    assert all(process.exitcode == 0 for process in processes) and reports.shown() == [shas[-1]] * 2


def test_scans_that_were_stored_without_reports_are_shown_by_the_newest(reports: Reports, tmp_path: Path) -> None:
    shas = [reports.repository.write({"a": str(n)}, "a commit") for n in range(4)]
    history, mirror = migrated_history(tmp_path), reports.repository.mirror()
    history.record_scan("shop", scan_of(shas[0]))
    history.record_scan("shop", scan_of(shas[2]))
    history.record_scan("shop", scan_of(shas[3], ScanStatus.FAILED))
    publish_newest(history, mirror, SHOP, Kept(reports.store, tmp_path))
    assert reports.shown() == [shas[2]] * 2
    history.close()
