"""Retention runs by itself once a day, in one of several services, and a failure of it is tried again the next day."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from infraaudit.operations.sweeping import OLD_HOURS, sweep
from infraaudit_domain.errors import ToolError
from resources.checkov.tree import LEFT_BEHIND_SECONDS, neutral_folder
from resources.machine.locks import locked
from resources.machine.state_folder import StateFolder
from service.workers.prune_worker import PruneWorker

DAY = timedelta(days=1).total_seconds()


class Clock:
    now = 1e9

    def __call__(self) -> float:
        return self.now


def test_it_prunes_once_a_day_from_the_day_after_the_first_start(tmp_path: Path) -> None:
    clock, done, marker = Clock(), tmp_path / "done", tmp_path / "home" / "last-prune"
    marker.parent.mkdir()
    workers = [PruneWorker(["sh", "-c", f"echo pruned >> {done}"], marker, clock) for _ in range(2)]
    assert [worker.work() for worker in workers] == [False, False]
    clock.now += DAY - 1
    assert [worker.work() for worker in workers] == [False, False]
    clock.now += 1
    assert [worker.work() for worker in workers] == [True, False]
    clock.now += DAY
    with locked(marker.with_suffix(".lock")):
        assert not workers[0].work(), "another one prunes"
    assert [worker.work() for worker in workers] == [True, False] and done.read_text() == "pruned\npruned\n"


def test_a_failure_is_tried_again_the_next_day(tmp_path: Path) -> None:
    clock = Clock()
    worker = PruneWorker(["false"], tmp_path / "last-prune", clock)
    worker.work()
    clock.now += DAY
    with pytest.raises(ToolError):
        worker.work()
    assert not worker.work()


def test_what_killed_processes_left_goes_and_what_may_be_in_use_stays(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    left = [state.checkouts / "0123456789ab-x", state.mirrors / ".clone-shop-x", tmp_path / ".backup-x"]
    kept = [state.checkouts / "fedcba987654-x", state.scans / "server", state.mirror("shop"), state.dagster]
    for path in (*left, *kept):
        (path / "deep").mkdir(parents=True)
    old = time.time() - OLD_HOURS * 3600 - 60
    for path in (*left, *kept[1:]):
        os.utime(path, (old, old))
    assert sorted(sweep(state)) == sorted(left)
    assert not any(path.exists() for path in left) and all(path.exists() for path in kept)
    assert sweep(StateFolder(tmp_path / "nowhere")) == []


@pytest.mark.parametrize("home", ["state", ".infraaudit"])
def test_what_killed_scans_left_goes_from_where_scans_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    state = StateFolder(tmp_path / home)
    scratch = neutral_folder(state.scans)
    ages = {"scan-x": 1.0, "parent-x": 1.0, "scan-young": -1.0, "parent-young": -1.0}
    for name, minutes in ages.items():
        (scratch / name / "deep").mkdir(parents=True)
        then = time.time() - LEFT_BEHIND_SECONDS - 60 * minutes
        os.utime(scratch / name, (then, then))
    assert sorted(sweep(state)) == [scratch / "parent-x", scratch / "scan-x"]
    assert sorted(path.name for path in scratch.iterdir()) == ["parent-young", "scan-young"]
