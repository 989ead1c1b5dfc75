"""Notices that sensors stopped looking for commits, and that they look again."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from infraaudit_domain.reporting.notices import EVERY_PROJECT, Notice, body_of


def sensors_dead(sensors: Mapping[str, str], since: datetime, reason: str, link: str) -> Notice:
    """Sensors stopped looking for commits, for one reason; ``sensors`` is the sensor by project."""
    return Notice(
        key=f"{_sensors_key(sensors)}:{since:%Y%m%dT%H%M%S}",
        project=_project_of(sensors),
        title=f"{_whose(sensors)} dead; new commits are not seen",
        body=body_of(
            None, reason, f"The last good look was at {since:%Y-%m-%d %H:%M:%S} UTC.", _listed(sensors), link=link
        ),
        urgency="critical",
    )


def sensors_alive(sensors: Mapping[str, str], since: datetime, link: str) -> Notice:
    """Sensors that were reported dead ``since`` work again."""
    return Notice(
        key=f"{_sensors_key(sensors)}:{since:%Y%m%dT%H%M%S}:alive",
        project=_project_of(sensors),
        title=f"{_whose(sensors)} back",
        body=body_of(None, _listed(sensors), link=link),
    )


def _project_of(sensors: Mapping[str, str]) -> str:
    return next(iter(sensors)) if len(sensors) == 1 else EVERY_PROJECT


def _whose(sensors: Mapping[str, str]) -> str:
    if len(sensors) > 1:
        return f"the sensors of {len(sensors)} projects are"
    project, sensor = next(iter(sensors.items()))
    return f"{project}: the sensor {sensor} is"


def _listed(sensors: Mapping[str, str]) -> str:
    return f"Projects: {', '.join(sorted(sensors))}." if len(sensors) > 1 else ""


def _sensors_key(sensors: Mapping[str, str]) -> str:
    names = sorted(sensors.values())
    return f"sensor:{names[0] if len(names) == 1 else hashlib.sha256(' '.join(names).encode()).hexdigest()[:16]}"
