"""Collect what an environment's containers printed since the last look: kept, counted, and old days tidied away.

Counts are made of the files and never added up along the way, so that a process that dies between the two loses none.
"""

from datetime import UTC, datetime

from infraaudit_domain.projects import Environment, Project
from resources.history import History
from resources.history.queries.log_counts import counted_days
from resources.logs.store import LogStore, Row
from resources.targets.target import Target


def collect_logs(
    history: History, store: LogStore, target: Target, project: Project, environment: Environment
) -> list[Row]:
    """The lines that were not kept before; how many are kept of each commit and level is recorded in the history."""
    name = environment.name
    fresh = store.append(name, target.logs(project.name, name, store.last(name)))
    for day, counts in store.counts(name, counted_days(history, project.name, name)):
        history.record_log_counts(project.name, name, day, counts)
    store.tidy(name, today=datetime.now(UTC))
    return fresh
