"""What the warm parent of an installation imports, and where it listens.

Deliberately absent: the parent (resources/machine/warm_parent.py), and what it is called for.
"""

import importlib
from pathlib import Path

from resources.machine.warm import Warmth

PRELOAD = (
    "dagster._core.executor.multiprocess",
    "dagster._cli.api",
    "dagster._core.execution.api",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.storage.runs",
    "dagster._core.storage.event_log",
    "dagster._core.storage.schedules",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.fs_io_manager",
    "upath.implementations.local",
    "sqlalchemy.dialects.sqlite",
    "alembic.command",
    "resources.history",
)
HEAVY = ("kubernetes.client", "kubernetes.config", "kubernetes.watch", "jinja2", "vl_convert", "httpx")
"""What some stages import where they need it."""


def warmth(home: Path, definitions: str, idle_seconds: float, *more: str) -> Warmth:
    """The parent of a Dagster home for the definitions of a module; ``more`` are modules that callers need."""
    return Warmth(home / "warm", (definitions, *more, *PRELOAD), HEAVY, idle_seconds)


def import_heavy() -> None:
    """Import here what some stages need, for a process that executes many runs."""
    for module in HEAVY:
        importlib.import_module(module)
