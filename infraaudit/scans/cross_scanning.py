"""Attribute changes of findings to code, configuration or scanner.

The earlier commit is scanned again, with the later one's scanner and configuration.

Deliberately absent: what the result means (infraaudit_domain/causes.py). Nothing is scanned where nothing differs.
"""

from collections.abc import Callable

from infraaudit.scans.cross_scans import record_cross_scan, unexplained
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.projects import Project
from resources.checkov import CheckovRunner
from resources.checkov.versions import scanner_version
from resources.git.mirror import Mirror
from resources.history import History

Runner = Callable[[], CheckovRunner]
"""Makes a scanner, which holds a process until it is closed."""


def attribute_causes(
    history: History,
    mirror: Mirror,
    project: Project,
    runner: Runner,
) -> int:
    """Make the cross scans that the deploy branch's lifecycles need; returns how many.

    The lifecycles are not updated here. ``runner`` is only called where there is something to scan. Raises what the
    scanner raises.
    """
    branch = project.deploy_branch
    if branch not in mirror.branches():
        return 0
    pairs = unexplained(Line(history, mirror, project.name, branch).follow(), scanner_version())
    if pairs:
        with runner() as scanner:
            for before, after in pairs:
                scan = scanner.scan(mirror, before, project.paths.checkov_config, config_of=after)
                record_cross_scan(history, project.name, after, scan)
    return len(pairs)
