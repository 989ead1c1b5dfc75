"""What watching costs: CPU of a look at a real deployment, and the bytes of a day of looks at many environments.

    KUBECONFIG=… python benchmarks/watching.py [--environments 100] [--image NAME]

One small release goes to a namespace of its own, which is made and removed. It counts as live in every environment, and
each is looked at as in a day: every look reaches the cluster once for the CPU, and then a stand-in for it, at the times of
a whole day, for the bytes of the history, and of Dagster's storage behind a real webserver.
"""

import argparse
import os
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from rollout import commit, manifests

from infraaudit_domain.delivery.deployments import Deployment, Outcome, Release, Rollout
from infraaudit_domain.projects import Environment, Project
from resources.dagster.api import DagsterApi
from resources.git.mirror import Mirror
from resources.history import History
from resources.logs.store import LogStore
from resources.targets.cluster import KubernetesTarget, connect
from service.workers.watch_worker import Reach, WatchWorker
from tests.conftest import free_port

FIVE = timedelta(minutes=5)


class Quiet:
    """What answers as the cluster did, at no cost."""

    def __init__(self, name: str) -> None:
        self.name = name

    def probe(self, *_: object) -> Rollout:
        return Rollout(True)

    def drift(self, _: str) -> list[Any]:
        return []

    def logs(self, *_: object) -> list[Any]:
        return []

    def describe(self) -> str:
        return self.name

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        raise AssertionError("a look deploys nothing")


@contextmanager
def webserver(folder: Path) -> Iterator[str]:
    port = free_port()
    folder.mkdir()
    with (
        dg.DagsterInstance.local_temp(str(folder)) as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        app = create_app_from_workspace_process_context(context)
        server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()


def below(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def measured(history: History, target: KubernetesTarget, live: Deployment, environments: int, home: Path) -> None:
    names = ["bench", *(f"bench-{number}" for number in range(1, environments))]
    projects = [Project(name, "/x", environments=(Environment("bench"),)) for name in names]
    for project in projects:
        history.record_deployment(replace(live, project=project.name))

    def worker(reached: Any, url: str) -> WatchWorker:
        reach = Reach(
            lambda *_: reached, lambda p: Mirror(p.url, home / p.name), lambda p: LogStore(home / "logs" / p.name)
        )
        return WatchWorker(history, projects, reach, DagsterApi(url), FIVE)

    start = datetime.now(UTC)
    with webserver(home / "dagster") as url:
        real = worker(target, url)
        real.work(projects[0], projects[0].environments[0], start)  # what is imported once
        before, wall = time.process_time(), time.monotonic()
        for number in range(1, 21):
            assert real.work(projects[0], projects[0].environments[0], start + number * FIVE)
        cpu, wall = (time.process_time() - before) / 20, (time.monotonic() - wall) / 20
        print(f"a look at the cluster: {1000 * cpu:.0f} ms of CPU, {1000 * wall:.0f} ms")
        quiet = worker(Quiet(target.name), url)
        for project in projects:  # the first look is shown, whatever is found
            quiet.work(project, project.environments[0], start)
        size, before, looks = below(home), time.process_time(), 0
        for number in range(1, 24 * 12 + 1):
            for project in projects:
                looks += quiet.work(project, project.environments[0], start + timedelta(hours=2) + number * FIVE)
        own = time.process_time() - before
        grown = below(home) - size
    day = own + looks * cpu
    print(f"a day of {environments} quiet environments: {looks} looks, {grown / 1e6:.1f} MB,")
    print(f"{own:.0f} s of CPU for deciding and recording, webserver included, {looks * cpu:.0f} s for looking:")
    print(
        f"{day / 86400:.4f} cores; at a look each five minutes {environments * 288 * (cpu + own / looks) / 86400:.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=int, default=100)
    parser.add_argument("--image", default="infraaudit/base:bookworm")
    options = parser.parse_args()
    namespace = f"watching-{uuid.uuid4().hex[:8]}"
    environment = {**os.environ}
    subprocess.run(["kubectl", "create", "namespace", namespace], check=True, env=environment)
    try:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            history = History(f"sqlite:///{home / 'history.db'}")
            history.migrate()
            target = KubernetesTarget(connect(), namespace)
            text = manifests(namespace, options.image, 1)
            release = Release("bench", "bench", commit(1), options.image, text)
            done = target.deploy(release, timeout=180, on_progress=print)
            assert done.healthy, done.reason
            now = datetime.now(UTC)
            live = Deployment("bench", "bench", commit(1), target.name, Outcome.DEPLOYED, now, now, options.image, text)
            measured(history, target, live, options.environments, home)
    finally:
        subprocess.run(["kubectl", "delete", "namespace", namespace, "--wait=false"], check=True, env=environment)


if __name__ == "__main__":
    main()
