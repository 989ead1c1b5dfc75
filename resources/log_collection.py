"""Collect what an environment's containers printed since the last look: kept, counted, and old days tidied away."""

from collections import Counter
from datetime import UTC, datetime

from infraaudit_assets.domain.projects import Environment, Project
from resources.history import History
from resources.log_store import LogStore, Row
from resources.targets import Target


def collect_logs(
    history: History, store: LogStore, target: Target, project: Project, environment: Environment
) -> list[Row]:
    """The lines that were not kept before; how many there are of each commit and level is added to the history."""
    name = environment.name
    fresh = store.append(name, target.logs(project.name, name, store.last(name)))
    history.add_log_counts(project.name, name, Counter((row["commit"], row["level"]) for row in fresh))
    store.tidy(name, today=datetime.now(UTC))
    return fresh
