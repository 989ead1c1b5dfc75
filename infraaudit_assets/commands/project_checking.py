"""`infraaudit projects check`: every project against its repository and against what its runs will need.

Deliberately absent: what is checked (infraaudit/repositories).
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from infraaudit.repositories.needed_parts import asked, check_parts
from infraaudit.repositories.project_check import Checked, Site, State, check_installation, check_repository
from infraaudit_assets.commands.example import write_missing_example
from infraaudit_assets.commands.formats import print_rows
from infraaudit_assets.commands.options import Format
from infraaudit_assets.settings import settings
from infraaudit_domain.delivery.builds import Isolation
from infraaudit_domain.errors import ConfigurationError, excerpt
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.recipients import Address
from resources.configuration.projects import load_projects
from resources.git.mirror import Mirror

_COLUMNS = ("name", "good", "branches", "fault")
_LONGEST = 1000


def check_projects(name: str | None, how: Format) -> bool:
    """Print what was found of each project; whether none has a fault."""
    projects, site = _chosen(name), _site()
    parts = asked(projects, site)
    rows = []
    for project in projects:
        if not project.fault:
            write_missing_example(project)
        checked = [
            *check_repository(project, Mirror(project.url, settings().state.mirror(project.name)), site),
            *check_parts(project, site, parts),
        ]
        checked += () if project.fault else check_installation(project, site)
        rows.append(_row(project, checked))
        if how is Format.TABLE:
            print("\n".join(_lines(rows[-1], checked)))
    print_rows(rows, (*_COLUMNS, "parts") if how is Format.JSON else _COLUMNS, how)
    return all(row["good"] for row in rows)


def _chosen(name: str | None) -> list[Project]:
    listed = load_projects(settings().projects)
    found = [project for project in listed if name in (None, project.name)]
    if name is not None and not found:
        names = ", ".join(project.name for project in listed) or "none"
        raise ConfigurationError(f"{settings().projects} has no project {name!r}; it has: {names}.")
    return found


def _site() -> Site:
    current = settings()
    token = current.grafana_token
    return Site(
        current.gate_file,
        current.state.checkouts,
        Isolation(current.build_isolation),
        tuple(Address(one.get_secret_value()) for one in current.notify),
        frozenset(current.webhook_secrets),
        current.engine,
        current.target,
        current.kubeconfig,
        current.prometheus_url,
        current.grafana_url,
        token.get_secret_value() if token else None,
    )


def _row(project: Project, checked: Sequence[Checked]) -> dict[str, Any]:
    faults = [f"{one.what}: {one.sentence}" for one in checked if one.state is State.FAULT]
    branches = next((one.detail for one in checked if one.what == "repository" and one.state is State.GOOD), "")
    return {
        "name": project.name,
        "good": not faults,
        "branches": int(branches.partition(" ")[0]) if branches else None,
        "fault": "\n".join(faults) or None,
        "parts": [asdict(one) for one in checked],
    }


def _lines(row: dict[str, Any], checked: Sequence[Checked]) -> list[str]:
    faults = sum(one.state is State.FAULT for one in checked)
    said = f"good, {row['branches']} branches" if row["good"] else f"{faults} fault{'s' if faults > 1 else ''}"
    width = max(len(one.what) for one in checked)
    lines = [f"  {one.state:11}  {one.what:{width}}  {excerpt(one.sentence, _LONGEST)}" for one in checked]
    return [f"{row['name']}: {said}", *lines]
