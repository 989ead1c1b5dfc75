"""Attribute changes of findings to code, configuration or scanner.

The earlier commit is scanned again, with the later one's scanner and configuration.

Deliberately absent: what the result means (infraaudit_domain/lifecycles/causes.py). Nothing is scanned where nothing differs.
"""

from collections.abc import Callable, Sequence

from infraaudit.scans.against_parent import compared_with
from infraaudit.scans.cross_scans import needs_cross_scan, record_cross_scan, unexplained
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
    _scan_pairs(history, mirror, project, runner, pairs)
    return len(pairs)


def prepare_judgement(
    history: History, mirror: Mirror, project: Project, environment: str, sha: str, runner: Runner
) -> int:
    """Make the cross scans that judging a commit needs, against what it is compared with and against what is live.

    Returns how many. Without them the gate takes what another scanner found for the commit's doing.
    """
    live = history.live(project.name, environment)
    against = {compared_with(history, mirror, project.name, sha), live.sha if live else None} - {None, sha}
    wanted = ((before, sha) for before in sorted(filter(None, against)))
    pairs = [pair for pair in wanted if needs_cross_scan(history, project.name, *pair, scanner_version())]
    _scan_pairs(history, mirror, project, runner, pairs)
    return len(pairs)


def _scan_pairs(
    history: History, mirror: Mirror, project: Project, runner: Runner, pairs: Sequence[tuple[str, str]]
) -> None:
    if not pairs:
        return
    with runner() as scanner:
        for before, after in pairs:
            scan = scanner.scan(mirror, before, project.paths.checkov_config, config_of=after)
            record_cross_scan(history, project.name, after, scan)
