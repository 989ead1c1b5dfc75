"""The sample application's repository, which the first project points to until somebody puts their own there."""

import subprocess
import sys
from pathlib import Path

from infraaudit_assets.settings import examples
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.projects import Project

_NAME = "example.git"


def write_missing_example(project: Project) -> None:
    """Write the sample repository where a project points to one (``…/example.git``) that is not there yet."""
    folder = Path(project.url)
    if folder.is_absolute() and folder.name == _NAME and not folder.exists():
        write_example(folder)


def write_example(folder: Path) -> None:
    """Write the sample repository with its whole history. Raises ConfigurationError where the examples are missing."""
    script = examples() / "make_history.py"
    if not script.exists():
        raise ConfigurationError("The examples folder is missing; run this from a clone of InfraAudit (make demo).")
    done = subprocess.run([sys.executable, str(script), str(folder)], capture_output=True, text=True)
    if done.returncode:
        raise ConfigurationError(f"The sample repository cannot be written to {folder}: {done.stderr.strip()[-500:]}")
