"""Watch the sensors for new commits from outside Dagster's daemon: a dead daemon cannot report its own death.

Deliberately absent: switching a sensor on again; a person may have switched it off.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from infraaudit_domain.errors import DagsterUnavailableError
from infraaudit_domain.notices import sensor_alive, sensor_dead
from resources.dagster.api import DagsterApi
from resources.history import History
from resources.history.outbox import write_notices

EVERY = timedelta(seconds=15)
PATIENCE = timedelta(seconds=60)
"""A webserver or daemon that restarts is not dead."""


class SensorWatch:
    """Reports once when a sensor stops working, and once when it works again. ``sensors`` is (job, sensor) by
    project."""

    def __init__(self, history: History, api: DagsterApi, sensors: Mapping[str, tuple[str, str]]) -> None:
        self._history, self._api, self._sensors = history, api, sensors
        self._good: dict[str, datetime] = {}
        self._dead: dict[str, datetime] = {}
        self._next = datetime.min.replace(tzinfo=UTC)

    def look(self, now: datetime) -> None:
        """Check every sensor, at most every 15 seconds."""
        if now < self._next:
            return
        self._next = now + EVERY
        for project, (job, sensor) in self._sensors.items():
            try:
                state = self._api.sensor(job, sensor)
                fault, good = state.fault, state.last_good
            except DagsterUnavailableError as error:
                fault, good = str(error), None
            self._judge(project, sensor, fault, datetime.fromtimestamp(good, UTC) if good else None, now)

    def _judge(self, project: str, sensor: str, fault: str, good: datetime | None, now: datetime) -> None:
        since = self._good.setdefault(sensor, good or now)
        if not fault:
            self._good[sensor] = good or now
            if (died := self._dead.pop(sensor, None)) is not None:
                write_notices(self._history, [sensor_alive(project, sensor, died, self._api.url)])
        elif sensor not in self._dead and now - since >= PATIENCE:
            self._dead[sensor] = since
            write_notices(self._history, [sensor_dead(project, sensor, since, fault, self._api.url)])
