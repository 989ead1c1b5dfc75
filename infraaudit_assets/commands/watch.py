"""`infraaudit watch`: look after what is live, where the service does not: it may not reach the cluster, or is not there."""

import asyncio
import signal
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from infraaudit_assets.commands.projects import mirror_of
from infraaudit_assets.settings import Settings, settings
from infraaudit_domain.projects import Environment, Project

if TYPE_CHECKING:
    from infraaudit_domain.delivery.deployments import Deployment
    from resources.dagster.api import DagsterApi
    from resources.history import History
    from resources.targets.target import Target
    from service.workers.watch_worker import WatchWorker

_ALIVE_SECONDS = 15


def watch() -> None:
    """Look after what is live: health, drift and new log lines of every environment; Ctrl-C stops it.

    `infraaudit up` and `infraaudit serve` do that too, unless they are started with --no-watch.
    """
    from infraaudit_assets.commands.rated import rated_history
    from resources.configuration.projects import load_projects
    from resources.dagster.api import DagsterApi

    current = settings()
    projects = load_projects(current.projects)
    worker = watch_worker(current, rated_history(current), projects, DagsterApi(current.dagster_url))
    environments = sum(len(project.environments) for project in projects)
    print(f"Looking after {environments} environments of {len(projects)} projects (Ctrl-C stops it)", flush=True)
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # Threads may wait for a cluster; the next look takes up what is cut off.
    asyncio.run(_shown_alive(worker))


async def _shown_alive(worker: "WatchWorker") -> None:
    """Watch, and touch a file every 15 seconds: a container's health check looks at its age."""
    file = Path(tempfile.gettempdir()) / "infraaudit-watch"
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(worker.run())
        while True:
            file.touch()
            await asyncio.sleep(_ALIVE_SECONDS)


def watch_worker(
    current: Settings, history: "History", projects: Sequence[Project], dagster: "DagsterApi"
) -> "WatchWorker":
    """The watcher of this installation."""
    from resources.logs.loki import Loki
    from resources.logs.store import LogStore
    from resources.targets.connect import connect_target
    from service.workers.watch_worker import Reach, WatchWorker

    def target(environment: Environment, live: "Deployment") -> "Target":
        return connect_target(
            current.target, environment, current.kubeconfig, current.engine, current.state.containers, live
        )

    def logs(project: Project) -> LogStore:
        limit = current.log_megabytes * 1024 * 1024
        return LogStore(current.state.logs(project.name), days=current.log_days, max_bytes=limit)

    loki = Loki(current.loki_url.get_secret_value(), current.loki_tenant or "") if current.loki_url else None
    reach = Reach(target, mirror_of, logs, loki, current.rollout_seconds)
    shortest = timedelta(minutes=current.watch_minutes)
    return WatchWorker(history, projects, reach, dagster, shortest)
