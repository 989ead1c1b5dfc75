"""A history of an earlier version is scanned again under the rules of now, by a real Checkov, and marked until then."""

from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from infraaudit.questions.marks import mark_of_line
from infraaudit.scans import upgrade
from infraaudit.scans.lifecycles import Line
from infraaudit.scans.upgrade import Upgraded, upgrade_some
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Scan
from resources.checkov import CheckovRunner
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.queries.lives import life_events
from resources.history.queries.scanned_past import scanned_past
from resources.history.stored_line import stored_line
from service.app import ServiceOptions, build_app
from service.workers.upgrade_worker import UpgradeWorker
from tests.conftest import Repository
from tests.resources.databases import migrated_history

pytestmark = pytest.mark.slow

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
    - name: web
      image: web:1
      securityContext:
        privileged: true
"""
PROJECT = Project("p", "https://example.org/p.git")


@pytest.fixture
def mirror(repository: Repository) -> Mirror:
    repository.write({"pod.yaml": POD}, "a pod")
    repository.write({"pod.yaml": "# image was {{ .Values.image }} before\n" + POD}, "a comment with braces")
    return repository.mirror()


@pytest.fixture
def old(tmp_path: Path, mirror: Mirror) -> History:
    """Two commits as version 1 read them: the second was skipped in silence, and so its findings were fixed."""
    history = migrated_history(tmp_path)
    history.record_project(PROJECT)
    first, second = mirror.first_parents("HEAD")
    with _runner(tmp_path, history) as runner:
        scan = runner.scan(mirror, first, "scanner/checkov_config.yaml")
    for sha, known in ((first, scan), (second, replace(scan, frameworks=tuple(map(_emptied, scan.frameworks))))):
        history.record_commit("p", mirror.commit(sha))
        history.record_scan("p", _as_version_1(replace(known, sha=sha)))
    return history


def _runner(folder: Path, history: History) -> CheckovRunner:
    return CheckovRunner(folder / "scans", {}, reuse=history.framework_scan)


def _emptied(part):  # type: ignore[no-untyped-def]
    return replace(part, findings=(), scan_key=f"{part.scan_key[:-1]}-")


def _as_version_1(scan: Scan) -> Scan:
    parts = (replace(part, scan_key=f"1{part.scan_key[1:]}", evidence=None) for part in scan.frameworks)
    return replace(scan, frameworks=tuple(parts), rules=1)


def _events(history: History, mirror: Mirror) -> list[str]:
    line = Line(history, mirror, "p", "main").follow()
    return [row["event"] for row in life_events(line, "", check="CKV_K8S_16")]


def test_what_silence_had_fixed_stands_again_and_answers_are_marked_until_then(
    old: History, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _events(old, mirror) == ["introduced", "fixed"]
    line = Line(old, mirror, "p", "main").follow()
    monkeypatch.setattr(upgrade, "AT_ONCE", 1)
    client = TestClient(build_app(old, ServiceOptions(["p"])))
    for done, left in (Upgraded(1, 1), 2), (Upgraded(1, 0), 1):
        assert scanned_past(line).commits_earlier_rules == left
        assert f"{left} commits of main were scanned by an earlier version" in mark_of_line(line)
        assert client.get("/api/v1/projects/p/blame").json()["provisional"] == mark_of_line(line)
        assert "X-Provisional" in client.get("/api/v1/projects/p/blame?format=csv").headers
        assert mark_of_line(line)[:40] in client.get("/projects/p").text
        assert upgrade_some(old, mirror, PROJECT, lambda: _runner(tmp_path, old)) == done
    assert _events(old, mirror) == ["introduced"]
    assert scanned_past(line).commits_earlier_rules == 0 and mark_of_line(line) == ""
    assert "provisional" not in client.get("/api/v1/projects/p/blame").json()
    assert upgrade_some(old, mirror, PROJECT, lambda: _runner(tmp_path, old)) == Upgraded(0, 0)


def test_a_process_that_ends_before_it_follows_leaves_that_to_the_next(
    old: History, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Line(old, mirror, "p", "main").follow()
    with monkeypatch.context() as killed:
        killed.setattr(upgrade, "follow_up", lambda *_: None)
        assert upgrade_some(old, mirror, PROJECT, lambda: _runner(tmp_path, old)) == Upgraded(2, 0)
    assert upgrade_some(old, mirror, PROJECT, lambda: _runner(tmp_path, old)) == Upgraded(0, 0)
    events = life_events(stored_line(old, "p"), "", check="CKV_K8S_16")
    assert [row["event"] for row in events] == ["introduced"]


def test_a_commit_that_cannot_be_scanned_is_given_up_and_keeps_its_scan(
    old: History, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Line(old, mirror, "p", "main").follow()
    monkeypatch.setattr(CheckovRunner, "scan", _breaks_at(mirror.first_parents("HEAD")[1]))
    worker = UpgradeWorker(old, [PROJECT], lambda _: mirror, lambda: _runner(tmp_path, old))
    assert worker.upgrade(PROJECT) == 0
    assert scanned_past(Line(old, mirror, "p", "main").follow()).commits_earlier_rules == 1
    assert worker.upgrade(PROJECT) == 0
    assert old.scan("p", mirror.first_parents("HEAD")[1]) is not None


def _breaks_at(bad: str):  # type: ignore[no-untyped-def]
    from infraaudit_domain.errors import ScanError

    scan = CheckovRunner.scan

    def broken(self: CheckovRunner, mirror: Mirror, sha: str, path: str) -> Scan:
        if sha == bad:
            raise ScanError("the scratch folder is full")
        return scan(self, mirror, sha, path)

    return broken
