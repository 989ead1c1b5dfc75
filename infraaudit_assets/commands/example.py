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
    place = Path(project.url)
    if place.is_absolute() and place.name == _NAME and not place.exists():
        write_example(place)


def write_example(place: Path) -> None:
    """Write the sample repository with its whole history. Raises ConfigurationError where the examples are missing."""
    script = examples() / "make_history.py"
    if not script.exists():
        raise ConfigurationError("The examples folder is missing; run this from a clone of InfraAudit (make demo).")
    done = subprocess.run([sys.executable, str(script), str(place)], capture_output=True, text=True)
    if done.returncode:
        raise ConfigurationError(f"The sample repository cannot be written to {place}: {done.stderr.strip()[-500:]}")
