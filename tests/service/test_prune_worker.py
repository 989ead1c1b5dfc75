"""Retention runs by itself once a day, in one of several services, and a failure of it is tried again the next day."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from infraaudit.operations.sweeping import OLD_HOURS, sweep
from infraaudit_domain.errors import ToolError
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
    left = [state.checkouts / "0123456789ab-x", state.scans / "scan-x", state.scans / "parent-x",
            state.mirrors / ".clone-shop-x", tmp_path / ".backup-x"]  # fmt: skip
    kept = [state.checkouts / "fedcba987654-x", state.scans / "server", state.mirror("shop"), state.dagster]
    for path in (*left, *kept):
        (path / "deep").mkdir(parents=True)
    old = time.time() - OLD_HOURS * 3600 - 60
    for path in (*left, *kept[1:]):
        os.utime(path, (old, old))
    assert sorted(sweep(state)) == sorted(left)
    assert not any(path.exists() for path in left) and all(path.exists() for path in kept)
    assert sweep(StateFolder(tmp_path / "nowhere")) == []
