"""No commit is lost and none runs twice, whatever dies: a real daemon, webserver, code server and receiver."""

import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import dagster as dg
import pytest

from tests.conftest import Repository
from tests.e2e.installation import ROLES, Installation, bare_repository

pytestmark = pytest.mark.e2e
PUSHES, COMMITS = 10, 40
PROJECTS = ("shop", "pay-ments")
# Runs end as soon as they are launched: what starts them is tested here. One whose daemon died while it launched it
# is noticed, and started once more by Dagster, sooner than after the shipped minute.
INSTANCE = {
    "run_launcher": {"module": "tests.e2e.instant_runs", "class": "InstantRuns"},
    "run_monitoring": {"enabled": True, "poll_interval_seconds": 2, "start_timeout_seconds": 15},
}
SEED = int(os.environ.get("INFRAAUDIT_CRASH_SEED", "1"))


class Forge:
    """Pushes commits and sends webhooks of them: a third is lost, some come twice."""

    def __init__(self, installation: Installation, folder: Path, chance: random.Random) -> None:
        self._installation, self._chance = installation, chance
        self.repositories: dict[str, Repository] = {}
        self.rewritten: set[tuple[str, str]] = set()
        self._written = 0
        for name in PROJECTS:
            self.repositories[name], _ = bare_repository(folder, name)

    def push(self, project: str, commits: int, force: bool = False) -> None:
        work = self.repositories[project]
        before = work.git("rev-parse", "origin/main")
        if force:
            self.rewritten.add((project, before))
            work.git("reset", "--quiet", "--hard", "HEAD^")
        for _ in range(commits):
            self._written += 1
            work.write({"file": str(self._written)}, f"commit {self._written}")
        work.git("push", "--quiet", *(["--force"] if force else []), "origin", "main")
        after = work.git("rev-parse", "HEAD")
        for _ in range(self._chance.choice((0, 1, 2))):
            self._installation.post(project, "main", before, after)

    def begin(self) -> None:
        for work in self.repositories.values():
            work.write({"file": "first"}, "first")
            work.git("push", "--quiet", "-u", "origin", "main")

    def commits(self) -> set[tuple[str, str]]:
        """Every commit that is on the branches at the end."""
        return {(name, sha) for name, work in self.repositories.items() for sha in work.git("rev-list", "HEAD").split()}


def kill_at_random(installation: Installation, chance: random.Random, until: threading.Event) -> Counter[str]:
    """Kill a process with SIGKILL at random moments and start it again.

    In the main thread: what a thread starts dies with it.
    """
    killed: Counter[str] = Counter()
    while not until.wait(chance.uniform(0.3, 3)):
        role = chance.choice(ROLES)
        installation.kill(role)
        killed[role] += 1
        time.sleep(chance.uniform(0, 1))
        installation.start(role)
    return killed


@pytest.mark.timeout(500)
@pytest.mark.parametrize("seed", [SEED, *(pytest.param(SEED + more, marks=pytest.mark.long) for more in (1, 2, 3))])
def test_every_commit_runs_exactly_once_whatever_is_killed(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    projects = [{"name": name, "url": str(tmp_path / f"{name}.git")} for name in PROJECTS]
    with Installation(tmp_path / "home", projects, instance=INSTANCE) as installation:
        forge = Forge(installation, tmp_path, chance)
        forge.begin()
        installation.wait_until_up()
        with installation.instance() as instance:
            installation.wait_until(lambda: len(_runs(instance)) == 2, 60, "the first commits have their runs")
        pushed = threading.Event()
        pushing = threading.Thread(target=_push_all, args=(forge, chance, pushed))
        pushing.start()
        killed = kill_at_random(installation, random.Random(seed + 1), pushed)
        pushing.join()
        with installation.instance() as instance:
            wanted = forge.commits()
            installation.wait_until(
                lambda: wanted <= _finished(instance) and not _open(instance), 240, "every commit's run has ended"
            )
            # Whatever still would start a second run gets its time: a delivery, a tick, the queue.
            time.sleep(6)
            runs = _runs(instance)
            print(f"seed {seed}: {len(wanted)} commits, {len(runs)} runs, killed {dict(killed)}")
            counts = Counter(run.tags["dagster/run_key"] for run in runs)
            assert {key: n for key, n in counts.items() if n != 1} == {}
            expected = {f"{name}:{sha}" for name, sha in wanted}
            assert expected <= set(counts) <= expected | {f"{name}:{sha}" for name, sha in forge.rewritten}
            for name in PROJECTS:
                partitions = instance.get_dynamic_partitions(f"{name.replace('-', '_')}_commits")
                assert {f"{name}:{sha}" for sha in partitions} == {key for key in counts if key.startswith(name)}
            ended = Counter(run.tags["dagster/run_key"] for run in instance.get_runs() if run.is_success)
            assert ended == dict.fromkeys(counts, 1)


def _push_all(forge: Forge, chance: random.Random, done: threading.Event) -> None:
    try:
        forced = chance.randrange(2, PUSHES)
        for number, commits in enumerate(_sizes(chance)):
            forge.push(PROJECTS[number % 2], commits, force=number == forced)
            time.sleep(chance.uniform(0.2, 3))
    finally:
        done.set()


def _sizes(chance: random.Random) -> list[int]:
    """How many commits each push has: 40 in 10 pushes."""
    cuts = sorted(chance.sample(range(1, COMMITS), PUSHES - 1))
    return [end - start for start, end in zip([0, *cuts], [*cuts, COMMITS], strict=True)]


def _runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs that were started for commits. One that Dagster starts once more, because its daemon died while it
    launched it, has a parent and is no second."""
    return [run for run in instance.get_runs() if "dagster/parent_run_id" not in run.tags]


def _finished(instance: dg.DagsterInstance) -> set[tuple[str, str]]:
    runs = [run for run in instance.get_runs() if run.status is dg.DagsterRunStatus.SUCCESS]
    return {(run.tags["dagster/run_key"].split(":")[0], run.tags["dagster/partition"]) for run in runs}


def _open(instance: dg.DagsterInstance) -> bool:
    return any(not run.is_finished for run in instance.get_runs())
