"""Lines are kept and counted, also where a collector dies or several run at once: real files and databases."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit.deploying.logs import collect_logs
from infraaudit_domain.delivery.deployments import Release, Rollout
from infraaudit_domain.projects import Project
from resources.history import History
from resources.history.queries.log_counts import lines_printed
from resources.logs.store import LogStore
from resources.targets.target import LogLine
from tests.resources.databases import DATABASES, fresh_history

NOW = datetime.now(UTC)
SHOP = Project("shop", "/x")


class Printed:
    """A target that has printed some lines."""

    name = "printed"

    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    def add(self, when: datetime, *texts: str) -> None:
        self.lines += [LogLine(when, "web", text, "pod", "c") for text in texts]

    def describe(self) -> str:
        return self.name

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        raise NotImplementedError

    def probe(self, project: str, environment: str) -> Rollout:
        raise NotImplementedError

    def logs(self, project: str, environment: str, since: datetime | None) -> Iterable[LogLine]:
        return [line for line in self.lines if since is None or line.time > since]


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


def collect(history: History, store: LogStore, target: Printed) -> int:
    return len(collect_logs(history, store, target, SHOP, SHOP.environment))


def test_lines_that_were_kept_and_not_counted_are_counted_the_next_time(history: History, tmp_path: Path) -> None:
    store, target = LogStore(tmp_path / "logs"), Printed()
    target.add(NOW - timedelta(days=4), "old")
    target.add(NOW, "one", "an error: no table")
    store.append(SHOP.environment.name, target.lines)  # A collector that was killed right after this.
    store.tidy(SHOP.environment.name, today=NOW)
    assert len(list(store.folder.rglob("*.gz"))) == 1
    for _ in range(2):
        assert collect(history, store, target) == 0
        assert lines_printed(history, "shop", "c") == {"info": 2, "error": 1}
    target.add(NOW, "two")
    assert collect(history, store, target) == 1
    assert lines_printed(history, "shop", "c") == {"info": 3, "error": 1}


def test_collections_at_once_count_each_line_once(history: History, tmp_path: Path) -> None:
    store, target = LogStore(tmp_path / "logs"), Printed()
    target.add(NOW, *(f"line {number}" for number in range(200)))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: collect(history, store, target), range(8)))
    assert sorted(found) == [0] * 7 + [200]
    assert lines_printed(history, "shop", "c") == {"info": 200}
