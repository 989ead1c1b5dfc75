"""Trust on first use: what a project's Checkov configuration hid when it was first scanned, it may hide.

Deliberately absent: what that means for a finding (infraaudit_domain/judging/as_judged.py).
"""

from infraaudit_domain.projects import Project
from infraaudit_domain.scans.checkov_config import CheckovConfig
from resources.checkov.config_file import configuration
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.trusted import scanned_first, trust, trusted_configuration


def first_configuration(history: History, mirror: Mirror, project: Project) -> CheckovConfig:
    """The configuration that is trusted; recorded now where it is not known yet and the deploy branch has a scan."""
    known = trusted_configuration(history, project.name)
    if known is not None:
        return known[1]
    found = _oldest(history, mirror, project)
    if found is None:
        return CheckovConfig()
    trust(history, project.name, *found)
    known = trusted_configuration(history, project.name)
    return known[1] if known is not None else found[1]


def _oldest(history: History, mirror: Mirror, project: Project) -> tuple[str, CheckovConfig] | None:
    head = mirror.branches().get(project.deploy_branch)
    line = set(mirror.first_parents(head)) if head else set()
    oldest = next((sha for sha in scanned_first(history, project.name) if sha in line), None)
    return None if oldest is None else (oldest, configuration(mirror, oldest, project.paths.checkov_config)[0])
