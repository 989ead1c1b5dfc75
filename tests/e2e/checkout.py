"""A checkout of this revision that a test may write to, as a person has it who just cloned the repository."""

import shutil
from pathlib import Path

from tests import ROOT

_NOT_IN_GIT = (".git", ".venv*", ".*_cache", ".hypothesis", ".infraaudit", ".tmp_dagster_home*", "__pycache__",
               "reports", "dist", "secrets")  # fmt: skip


def fresh_checkout(folder: Path) -> Path:
    """What git would check out, with what is not committed yet, and without what programs and users left here."""
    checkout = folder / "infraaudit"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*_NOT_IN_GIT))
    return checkout
