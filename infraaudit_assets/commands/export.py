"""`infraaudit export`: the findings of one commit for other tools."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit.questions.export import Exchange, exported
from infraaudit_assets.commands.audit import suppressions_for
from infraaudit_assets.commands.options import ProjectName
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import HistoryError
from infraaudit_domain.findings import Scan
from infraaudit_domain.projects import Project

if TYPE_CHECKING:
    from resources.history import History


def export(
    project: ProjectName,
    form: Annotated[Exchange, typer.Option("--format", help="What to write.")],
    commit: Annotated[str | None, typer.Option(help="Branch, tag or SHA; the newest commit by default.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write; standard output without.")] = None,
) -> None:
    """Write a commit's findings as SARIF, JSON, CSV or CycloneDX."""
    from resources.history import open_history
    from resources.machine.atomic_file import write_atomically

    found = find_project(project)
    mirror = mirror_of(found)
    if not mirror.path.exists():
        mirror.fetch()
    sha = mirror.resolve(commit) if commit else mirror.tip(found.deploy_branch)
    scan = _scan(open_history(settings().history_url), found, sha)
    text = exported(form, found.name, found.url, scan, suppressions_for(found), datetime.now(UTC).date())
    if output is None:
        sys.stdout.write(text)
    else:
        write_atomically(output, text.encode("utf-8", "surrogateescape"))


def _scan(past: "History", project: Project, sha: str) -> Scan:
    scan = past.scan(project.name, sha)
    if scan is None:
        raise HistoryError(
            f"{sha[:12]} of {project.name} has not been scanned. "
            f"Run: infraaudit scan --project {project.name} --commit {sha[:12]}"
        )
    return scan
