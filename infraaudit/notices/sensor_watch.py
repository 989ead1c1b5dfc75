"""Watch the sensors for new commits from outside Dagster's daemon: a dead daemon cannot report its own death.

Deliberately absent: switching a sensor on again; a person may have switched it off.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from infraaudit_domain.errors import DagsterUnavailableError
from infraaudit_domain.reporting.sensor_notices import sensors_alive, sensors_dead
from resources.dagster.api import DagsterApi
from resources.history import History
from resources.history.outbox import write_notices

EVERY = timedelta(seconds=15)
PATIENCE = timedelta(seconds=60)
"""A webserver or daemon that restarts is not dead."""
START_PATIENCE = timedelta(minutes=15)
"""Until a sensor that nobody has seen at work yet counts as dead: a first start may load many projects."""


class SensorWatch:
    """Reports once when sensors stop working, and once when they work again; those that stop together, for the same
    reason, in one notice. ``sensors`` is (job, sensor) by project."""

    def __init__(self, history: History, api: DagsterApi, sensors: Mapping[str, tuple[str, str]]) -> None:
        self._history, self._api, self._sensors = history, api, sensors
        self._good: dict[str, datetime] = {}
        self._start: datetime | None = None
        self._dead: dict[str, datetime] = {}
        self._next = datetime.min.replace(tzinfo=UTC)

    def look(self, now: datetime) -> None:
        """Check every sensor, at most every 15 seconds."""
        if now < self._next:
            return
        self._next, self._start = now + EVERY, self._start or now
        died: dict[str, list[str]] = defaultdict(list)
        back: dict[datetime, list[str]] = defaultdict(list)
        for project in self._sensors:
            if fault := self._fault(project, now):
                if project not in self._dead and self._is_dead(project, now):
                    died[fault].append(project)
            elif (since := self._dead.pop(project, None)) is not None:
                back[since].append(project)
        self._report(died, back)

    def _fault(self, project: str, now: datetime) -> str:
        """Why a project's sensor does not work; its last good look is noted where Dagster knows it."""
        try:
            state = self._api.sensor(*self._sensors[project])
        except DagsterUnavailableError as error:
            return str(error)
        if state.last_good:
            self._good[project] = datetime.fromtimestamp(state.last_good, UTC)
        elif not state.fault:
            self._good[project] = now
        return state.fault

    def _is_dead(self, project: str, now: datetime) -> bool:
        if (good := self._good.get(project)) is not None:
            return now - max(good, self._start or good) >= PATIENCE
        return self._start is not None and now - self._start >= START_PATIENCE

    def _report(self, died: Mapping[str, list[str]], back: Mapping[datetime, list[str]]) -> None:
        link = self._api.url
        notices = []
        for fault, projects in died.items():
            since = min((self._good[name] for name in projects if name in self._good), default=self._start)
            assert since is not None  # look() sets the start
            self._dead |= dict.fromkeys(projects, since)
            notices.append(sensors_dead(self._named(projects), since, fault, link))
        notices += [sensors_alive(self._named(projects), since, link) for since, projects in back.items()]
        if notices:
            write_notices(self._history, notices)

    def _named(self, projects: list[str]) -> dict[str, str]:
        return {project: self._sensors[project][1] for project in projects}
