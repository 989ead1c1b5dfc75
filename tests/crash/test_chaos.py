"""Seeded kills and faults of a whole installation; after each, each commit has one result and nothing is left behind."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from infraaudit.operations.sweeping import OLD_HOURS, sweep
from resources.history import schema
from tests.crash.house import House
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]
FIRST = int(os.environ.get("INFRAAUDIT_CRASH_SEED", "5"))
SEEDS = [FIRST, *(pytest.param(FIRST + more, marks=pytest.mark.long) for more in range(1, 10))]
_SECONDS = 240.0
"""Until all is done after a fault, on a busy machine; a lost run is noticed in seconds."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.kill(*made.processes())


def kill_all(house: House, chance: random.Random) -> None:
    """Every process at once, as a power loss does."""
    house.push()
    time.sleep(chance.uniform(1, 9))
    house.kill(*house.processes())


def kill_the_run(house: House, _: random.Random) -> None:
    """The process that executes a run."""
    house.push()
    eventually(lambda: bool(house.workers()), _SECONDS, "a run has its process")
    house.kill(*house.workers().values())


def kill_some(house: House, chance: random.Random) -> None:
    """Any process of the installation."""
    house.push()
    time.sleep(chance.uniform(1, 9))
    house.kill(chance.choice(sorted(house.processes())))


def kill_the_terminal(house: House, _: random.Random) -> None:
    """A person's `infraaudit run`, with all that it started."""
    before = set(house.processes())
    sha = house.push()
    terminal = house.start_in_terminal(sha)
    eventually(lambda: terminal.poll() is not None or _is_worker(house, terminal.pid), _SECONDS, "it works")
    house.kill(terminal.pid, *(set(house.processes()) & _below(terminal.pid) - before))
    terminal.wait()


def break_the_mirror(house: House, chance: random.Random) -> None:
    """What git leaves behind where it is killed, or the machine is."""
    mirror = house.state.mirror("shop")
    for file, content in chance.sample(
        [("config.lock", ""), ("HEAD", ""), ("refs/heads/main.lock", ""), ("packed-refs.lock", ""), ("config", "")], 2
    ):
        with suppress(OSError):
            (mirror / file).parent.mkdir(parents=True, exist_ok=True)
            (mirror / file).write_text(content)
    house.push()


FAULTS: tuple[Callable[[House, random.Random], None], ...] = (
    kill_the_run, kill_the_terminal, kill_all, break_the_mirror, kill_some,
)  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_killed_each_commit_has_one_result_and_nothing_is_left(house: House, seed: int) -> None:
    chance = random.Random(seed)
    house.push()
    house.up()
    house.wait_until_done(_SECONDS)
    for fault in chance.sample(FAULTS, 3 if seed == FIRST else len(FAULTS)):
        began = time.monotonic()
        fault(house, chance)
        house.up()
        house.wait_until_done(_SECONDS)
        print(f"seed {seed}: {fault.__name__}: done after {time.monotonic() - began:.0f} s")
        _check_results(house)
    eventually(lambda: not house.workers(), 120, "no run has left its process's file")
    house.stop()
    _check_leftovers(house)


def _check_results(house: House) -> None:
    with house.instance() as instance:
        good = [run for run in instance.get_runs() if run.status is dg.DagsterRunStatus.SUCCESS]
    assert Counter(run.tags["dagster/partition"] for run in good) == dict.fromkeys(house.commits(), 1)
    history = house.history()
    scanned = {row["sha"] for row in history.rows(sa.select(schema.scans.c.sha))}
    ended = history.rows(sa.select(schema.spans.c.fingerprint)
                         .where(schema.spans.c.ended_as.is_not(None)))  # fmt: skip
    history.close()
    assert scanned == house.commits() and not ended, "a finding was closed, and nothing fixed it"


def _check_leftovers(house: House) -> None:
    eventually(lambda: not house.processes(), 120, "no process is left, and the warm ones have ended")
    assert not list(house.state.mirrors.glob("**/*.lock/")) and not list(house.state.mirror("shop").rglob("*.lock"))
    old = time.time() - OLD_HOURS * 3600 - 60
    for folder in (house.state.checkouts, house.state.scans, house.state.mirrors):
        for path in folder.glob("*") if folder.exists() else ():
            os.utime(path, (old, old))
    sweep(house.state)
    assert not [path for path in house.state.checkouts.glob("*") if path.is_dir()]
    assert not list(house.state.scans.glob("scan-*")) and not list(house.state.mirrors.glob(".clone-*"))


def _is_worker(house: House, number: int) -> bool:
    return number in house.workers().values() or bool(_below(number) & set(house.workers().values()))


def _below(number: int) -> set[int]:
    """The processes that a process started, and those that these did."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found, new = set[int](), {number}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found
