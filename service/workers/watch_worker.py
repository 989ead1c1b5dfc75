"""Look after every environment: health, drift and new log lines, in the background, without a run of Dagster.

Each environment has a loop of its own, so that one whose cluster hangs delays no other. Of several processes that watch,
one makes each look; Dagster is shown what changed, and once a day that nothing did. Deliberately absent: what is looked
at (infraaudit/deploying/look.py, logs.py), and the pace (infraaudit_domain/delivery/looks.py).
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from infraaudit.deploying.logs import collect_logs, send_on
from infraaudit.deploying.look import is_changing, look_after
from infraaudit_domain.dagster_names import NO_DRIFT, deployment_name, group_of
from infraaudit_domain.delivery.deployments import Deployment
from infraaudit_domain.delivery.looks import Look, Seen, are_news, is_news, pause, quiet_looks
from infraaudit_domain.errors import excerpt
from infraaudit_domain.projects import Environment, Project
from resources.dagster.api import DagsterApi
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.looks import claim, last_seen, record_look
from resources.logs.loki import Loki
from resources.logs.store import LogStore, Row
from resources.targets.target import Target
from service.faults import errors_logged

_AT_ONCE = 8
_APART_SECONDS = 0.5
"""Between the first looks of two environments, after a start."""
_SOON = timedelta(minutes=1)
"""Until an environment is looked at again that was being deployed to."""
_TARGET_KEPT = timedelta(hours=1)
_LOG = logging.getLogger("infraaudit.watch")


@dataclass(frozen=True)
class Reach:
    """How a watcher reaches what it looks at."""

    target: Callable[[Environment, Deployment], Target]
    mirror: Callable[[Project], Mirror]
    logs: Callable[[Project], LogStore]
    loki: Loki | None = None
    rollout_seconds: float = 300


class WatchWorker:
    """Looks at each environment at most every ``shortest``, and less often where nothing changes."""

    def __init__(
        self, history: History, projects: Sequence[Project], reach: Reach, dagster: DagsterApi, shortest: timedelta
    ) -> None:
        self._history, self._reach, self._dagster, self._shortest = history, reach, dagster, shortest
        self._watched = [(project, one) for project in projects if not project.fault for one in project.environments]
        self._stores = {project.name: reach.logs(project) for project, _ in self._watched}
        self._targets: dict[tuple[str, str], tuple[Target, datetime]] = {}
        self._threads = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="watch")

    async def run(self) -> None:
        """Work until cancelled; an error in one look never ends a loop."""
        async with asyncio.TaskGroup() as tasks:
            for number, (project, environment) in enumerate(self._watched):
                tasks.create_task(self._again_and_again(project, environment, number * _APART_SECONDS))

    async def _again_and_again(self, project: Project, environment: Environment, wait: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(wait)
            wait = self._shortest.total_seconds()
            with errors_logged(_LOG, f"{project.name} in {environment.name} could not be looked at"):
                wait = await loop.run_in_executor(self._threads, self.turn, project, environment)

    def turn(self, project: Project, environment: Environment) -> float:
        """Look where it is due; returns the seconds until the next turn."""
        self.work(project, environment, datetime.now(UTC))
        wait = _SOON if is_changing(self._history, project, environment) else self._shortest
        return min(wait, self._shortest).total_seconds()

    def work(self, project: Project, environment: Environment, now: datetime) -> bool:
        """Look where it is due, or another commit is live than at the last look; returns whether it was looked at.

        An environment that is being deployed to is not looked at: it differs from what is live, and that is no drift.
        """
        live = self._history.live(project.name, environment.name)
        if live is None or is_changing(self._history, project, environment):
            return False
        seen = last_seen(self._history, project.name, environment.name)
        is_known = seen.look is not None and seen.look.sha == live.sha
        if is_known and seen.due_at is not None and seen.due_at > now:
            return False
        if not claim(self._history, project.name, environment.name, seen.due_at, now + self._shortest):
            return False
        look = self._look(project, environment, seen)
        if look is None:
            claim(self._history, project.name, environment.name, now + self._shortest, now + _SOON)
            return False
        fresh = self._fresh_lines(project, environment, live) if look.sha else []
        look = replace(look, sha=live.sha)
        quiet = quiet_looks(seen, look, len(fresh))
        after = replace(seen, look=look, quiet=quiet, lines=seen.lines + len(fresh))
        after = replace(after, due_at=now + pause(quiet, self._shortest))
        for show in (self._shown_look, self._shown_lines):
            with errors_logged(_LOG, "Dagster was not shown what was found; it will be"):
                after = show(project, environment, after, fresh, now)
        record_look(self._history, project.name, environment.name, after, now)
        return True

    def _look(self, project: Project, environment: Environment, seen: Seen) -> Look | None:
        """What is found; where a connection that was kept is of no use any more, over a new one."""
        is_kept = self._kept(project, environment) is not None
        look = self._look_once(project, environment, seen)
        return self._look_once(project, environment, seen) if is_kept and look and not look.sha else look

    def _look_once(self, project: Project, environment: Environment, seen: Seen) -> Look | None:
        look = look_after(
            self._history,
            self._reach.mirror(project),
            project,
            environment,
            lambda live: self._connect(project, environment, live),
            healed_before=seen.look.healed if seen.look else "",
            timeout=self._reach.rollout_seconds,
            on_progress=lambda line: _LOG.info("%s in %s: %s", project.name, environment.name, line),
        )
        if look and not look.sha:
            self._targets.pop((project.name, environment.name), None)
        return look

    def _kept(self, project: Project, environment: Environment) -> Target | None:
        target, until = self._targets.get((project.name, environment.name), (None, None))
        return target if until and datetime.now(UTC) < until else None

    def _connect(self, project: Project, environment: Environment, live: Deployment) -> Target:
        if kept := self._kept(project, environment):
            return kept
        target = self._reach.target(environment, live)
        self._targets[project.name, environment.name] = target, datetime.now(UTC) + _TARGET_KEPT
        return target

    def _fresh_lines(self, project: Project, environment: Environment, live: Deployment) -> list[Row]:
        store = self._stores[project.name]
        with errors_logged(_LOG, f"The logs of {project.name} in {environment.name} could not be collected"):
            target = self._connect(project, environment, live)
            fresh = collect_logs(self._history, store, target, project, environment)
            if self._reach.loki:
                send_on(store, project, [environment], self._reach.loki)
            return fresh
        return []

    def _shown_look(
        self, project: Project, environment: Environment, seen: Seen, _: Sequence[Row], now: datetime
    ) -> Seen:
        """Show Dagster the look where it is news; what is known then. Raises DagsterUnavailableError."""
        look = seen.look
        if look is None or not is_news(seen, look, now):
            return seen
        asset = [group_of(project), deployment_name(project, environment)]
        about = {"commit": look.sha, "drift": "\n".join(look.drift) or "none"}
        self._dagster.show_check(asset, NO_DRIFT, look.passed, look.words, about)
        return replace(seen, shown_at=now, shown_mark=look.shown_mark)

    def _shown_lines(
        self, project: Project, environment: Environment, seen: Seen, fresh: Sequence[Row], now: datetime
    ) -> Seen:
        """The same for log lines, with the newest of them."""
        if seen.look is None or not are_news(seen, now):
            return seen
        levels = Counter(row["level"] for row in fresh)
        newest = excerpt("\n".join(row["text"] for row in fresh[-15:]), 6000)
        found = {"environment": environment.name, "lines": seen.lines, "levels": json.dumps(levels), "newest": newest}
        words = f"{seen.lines} new lines in {environment.name}"
        self._dagster.show_observation([group_of(project), "application_logs"], seen.look.sha, words, found)
        return replace(seen, lines=0, lines_shown_at=now)
