"""Collect the lines that an environment's containers printed since the last time; count them, and delete old days.

Lines are counted in the files and not while they are collected, so that a process that dies in between loses none.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from infraaudit_domain.projects import Environment, Project
from resources.history import History
from resources.history.queries.log_counts import counted_days
from resources.logs.loki import Loki, ship
from resources.logs.store import LogStore, Row
from resources.targets.target import Target


def collect_logs(
    history: History, store: LogStore, target: Target, project: Project, environment: Environment
) -> list[Row]:
    """The new lines; the number kept of each commit and level is recorded in the history."""
    name = environment.name
    fresh = store.append(name, target.logs(project.name, name, store.last(name)))
    for day, counts in store.counts(name, counted_days(history, project.name, name)):
        history.record_log_counts(project.name, name, day, counts)
    store.tidy(name, today=datetime.now(UTC))
    return fresh


def send_on(store: LogStore, project: Project, environments: Iterable[Environment], loki: Loki) -> tuple[int, str]:
    """Send the kept lines to Loki; returns their number, and why Loki last refused some.

    Raises MonitoringError or ConfigurationError; lines that were not sent are kept, and sent the next time.
    """
    sent, refused = 0, ""
    for environment in environments:
        count, fault = ship(store, project.name, environment.name, loki)
        sent, refused = sent + count, fault or refused
    return sent, refused
