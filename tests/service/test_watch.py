"""Watching without runs: what is shown to Dagster, at what pace, by how many processes; over real databases."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infraaudit_domain.delivery.deployments import Deployment, Outcome, Release, Rollout
from infraaudit_domain.errors import ClusterError, DagsterUnavailableError
from infraaudit_domain.projects import Environment, Project
from resources.dagster.api import DagsterApi
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.looks import claim, last_seen, looked_at
from resources.logs.store import LogStore
from resources.targets.target import LogLine
from service.workers.watch_worker import Reach, WatchWorker
from tests.resources.databases import DATABASES, fresh_history

NOW = datetime.now(UTC).replace(microsecond=123456)
FIVE = timedelta(minutes=5)
STAGING = Environment("staging")
SHOP = Project("shop-a", "/x", environments=(STAGING,))
FIRST = Deployment("shop-a", "staging", "1" * 40, "pretend", Outcome.DEPLOYED, NOW, NOW)


class Pretend:
    """A target that is healthy until a test says otherwise."""

    name = "pretend"

    def __init__(self) -> None:
        self.now, self.lines, self.connections, self.is_dead = Rollout(True), list[LogLine](), 0, False

    def describe(self) -> str:
        return self.name

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        raise AssertionError("a look deploys nothing")

    def probe(self, project: str, environment: str) -> Rollout:
        if self.is_dead:
            raise ClusterError("no answer")
        return self.now

    def logs(self, project: str, environment: str, since: datetime | None) -> Iterable[LogLine]:
        return [line for line in self.lines if since is None or line.time > since]

    def connect(self, _: Environment, __: Deployment) -> "Pretend":
        self.connections += 1
        return self


class Shown(DagsterApi):
    """Keeps what would be shown."""

    def __init__(self) -> None:
        super().__init__("http://nowhere")
        self.checks, self.lines, self.is_away = list[tuple[bool, str]](), list[Mapping[str, Any]](), False

    def show_check(
        self, asset: Sequence[str], check: str, passed: bool, description: str, metadata: Mapping[str, Any]
    ) -> None:
        if self.is_away:
            raise DagsterUnavailableError("away")
        assert (list(asset), check) == (["shop_a", "deployment"], "no_drift")
        self.checks.append((passed, metadata["commit"]))

    def show_observation(
        self, asset: Sequence[str], partition: str, description: str, metadata: Mapping[str, Any]
    ) -> None:
        assert list(asset) == ["shop_a", "application_logs"]
        self.lines.append({"partition": partition, **metadata})


@pytest.fixture(params=DATABASES)
def past(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


@pytest.fixture
def target() -> Pretend:
    return Pretend()


@pytest.fixture
def dagster() -> Shown:
    return Shown()


def watcher(past: History, target: Pretend, dagster: Shown, folder: Path) -> WatchWorker:
    reach = Reach(
        target.connect, lambda project: Mirror(project.url, folder), lambda project: LogStore(folder / project.name)
    )
    return WatchWorker(past, [SHOP, Project("broken", "/y", fault="no url")], reach, dagster, FIVE)


@pytest.fixture
def worker(past: History, target: Pretend, dagster: Shown, tmp_path: Path) -> WatchWorker:
    return watcher(past, target, dagster, tmp_path)


def test_a_day_of_looks_at_what_does_not_change_is_shown_twice(
    past: History, worker: WatchWorker, target: Pretend, dagster: Shown
) -> None:
    assert not worker.work(SHOP, STAGING, NOW), "nothing is live"
    past.record_deployment(FIRST)
    wakes = [NOW + number * FIVE for number in range(24 * 12 + 1)]
    looks = sum(worker.work(SHOP, STAGING, moment) for moment in wakes)
    assert dagster.checks == [(True, "1" * 40)] * 2, "at first, and after a day"
    assert looks <= 13 + 23 * 4 and not dagster.lines
    assert target.connections == 1, "the connection is kept"


def test_a_change_and_a_new_commit_are_noticed_and_shown_at_once(
    past: History, worker: WatchWorker, target: Pretend, dagster: Shown
) -> None:
    past.record_deployment(FIRST)
    for number in range(20):
        worker.work(SHOP, STAGING, NOW + number * FIVE)
    target.now = Rollout(False, "it crashes")
    assert any(worker.work(SHOP, STAGING, NOW + number * FIVE) for number in range(20, 23))
    assert dagster.checks == [(True, "1" * 40), (False, "1" * 40)]
    past.record_deployment(replace(FIRST, sha="2" * 40))
    target.now = Rollout(True)
    assert worker.work(SHOP, STAGING, NOW + 22 * FIVE + timedelta(seconds=1)), "not when the last look says"
    assert dagster.checks[-1] == (True, "2" * 40)


def test_each_look_is_made_by_one_of_several_processes(
    past: History, target: Pretend, dagster: Shown, tmp_path: Path
) -> None:
    past.record_deployment(FIRST)
    several = [watcher(past, target, dagster, tmp_path) for _ in range(3)]
    assert sum(each.work(SHOP, STAGING, NOW) for each in several) == 1
    due = last_seen(past, "shop-a", "staging").due_at
    taken = [claim(past, "shop-a", "staging", due, NOW + 2 * FIVE) for _ in range(3)]
    assert taken == [True, False, False]
    assert not several[0].work(SHOP, STAGING, NOW + FIVE), "its taker may still be at it"
    assert several[0].work(SHOP, STAGING, NOW + 2 * FIVE), "its taker died"


def test_lines_are_collected_at_each_look_and_shown_once_an_hour(
    past: History, worker: WatchWorker, target: Pretend, dagster: Shown, tmp_path: Path
) -> None:
    past.record_deployment(FIRST)
    for number in range(13):
        moment = NOW + number * FIVE
        target.lines.append(LogLine(moment, "web", f"error: line {number}", "pod", "1" * 40))
        assert worker.work(SHOP, STAGING, moment)
    assert [shown["lines"] for shown in dagster.lines] == [1, 12]
    assert dagster.lines[0]["partition"] == "1" * 40 and json.loads(dagster.lines[0]["levels"]) == {"error": 1}
    assert len(list(LogStore(tmp_path / "shop-a").read("staging"))) == 13


def test_what_dagster_could_not_be_shown_is_shown_later(past: History, worker: WatchWorker, dagster: Shown) -> None:
    past.record_deployment(FIRST)
    dagster.is_away = True
    assert worker.work(SHOP, STAGING, NOW)
    assert last_seen(past, "shop-a", "staging").look is not None and not dagster.checks
    dagster.is_away = False
    assert worker.work(SHOP, STAGING, NOW + FIVE) and dagster.checks == [(True, "1" * 40)]


def test_a_connection_of_no_use_is_made_anew_before_anything_is_said(
    past: History, worker: WatchWorker, target: Pretend, dagster: Shown
) -> None:
    past.record_deployment(FIRST)
    worker.work(SHOP, STAGING, NOW)
    target.is_dead = True
    for number in range(1, 4):
        assert worker.work(SHOP, STAGING, NOW + number * FIVE)
    assert target.connections == 4, "again at once, and then once for each look"
    assert dagster.checks == [(True, "1" * 40), (False, "1" * 40)]


def test_an_environment_is_left_alone_during_a_rollout_and_looked_at_right_after(
    past: History, worker: WatchWorker, dagster: Shown
) -> None:
    past.record_deployment(FIRST)
    began = datetime.now(UTC)
    second = replace(FIRST, sha="2" * 40, outcome=Outcome.RUNNING, started_at=began, finished_at=began)
    past.record_deployment(second)
    assert worker.turn(SHOP, STAGING) == 60 and not dagster.checks, "again in a minute"
    assert looked_at(past) == {}
    past.record_deployment(replace(second, outcome=Outcome.ROLLED_BACK))
    assert worker.turn(SHOP, STAGING) == FIVE.total_seconds()
    assert dagster.checks == [(True, "1" * 40)]
    assert looked_at(past)["shop-a", "staging"] >= began


def test_a_rollout_that_begins_during_a_look_makes_it_due_again_in_a_minute(
    past: History, worker: WatchWorker, target: Pretend, dagster: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    past.record_deployment(FIRST)
    began = datetime.now(UTC)
    second = replace(FIRST, sha="2" * 40, outcome=Outcome.RUNNING, started_at=began, finished_at=began)

    def probe(*_: str) -> Rollout:
        past.record_deployment(second)
        return Rollout(False, "it starts")

    monkeypatch.setattr(target, "probe", probe)
    assert not worker.work(SHOP, STAGING, began) and not dagster.checks
    assert last_seen(past, "shop-a", "staging").due_at == began + timedelta(minutes=1)
