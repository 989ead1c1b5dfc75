"""`infraaudit doctor`: what this machine has for the pipeline."""

from dataclasses import asdict, fields

import typer
from rich.table import Table
from rich.text import Text

from infraaudit.operations.doctor import Part, examine
from infraaudit_assets.commands.formats import print_rows
from infraaudit_assets.commands.options import AsJson, Form, Format, chosen
from infraaudit_assets.dagster_home import advice_on_edited_file, instance_file
from infraaudit_assets.recipients import everyones
from infraaudit_assets.settings import Settings, settings
from infraaudit_domain.errors import ConfigurationError, HistoryError
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.recipients import unheard
from infraaudit_domain.scans.severity import ranges_of
from resources.configuration.projects import load_projects, read_projects

app = typer.Typer()
_NAMED = 10


@app.command()
def doctor(form: Form = Format.TABLE, as_json: AsJson = False) -> None:
    """Show every outside part: found or not, which version, and what is lost without it.

    Exits with 1 where a part is missing that nothing works without.
    """
    current = settings()
    parts = examine(
        engine=current.engine,
        kubeconfig=current.kubeconfig,
        target=current.target,
        registries=_registries(),
        prometheus_url=current.prometheus_url,
        grafana_url=current.grafana_url,
        database_url=current.history_url,
    )
    parts += [_notices(current), _dagster_yaml(current), _ratings(current), *_forges(current)]
    columns = [each.name for each in fields(Part)]
    print_rows([asdict(part) for part in parts], columns, chosen(form, as_json), _table(parts))
    raise typer.Exit(0 if all(part.found for part in parts if part.needed) else 1)


def _registries() -> list[str]:
    return [project.registry for project in _projects() if project.registry]


def _projects() -> tuple[Project, ...]:
    try:
        return read_projects(settings().projects)
    except ConfigurationError:
        # `infraaudit projects check` reports what is wrong with the file; the doctor looks at the rest.
        return ()


def _notices(current: Settings) -> Part:
    """Whether somebody is notified of a failing test, of every project."""
    try:
        projects = load_projects(current.projects)
    except ConfigurationError:
        projects = ()
    recipients = everyones(current, projects)
    deaf = [project.name for project in projects if not recipients(project.name).hear_failures]
    if projects and not deaf:
        return Part("notices", True, "", f"of {len(projects)} {'project' if len(projects) == 1 else 'projects'}")
    names = ", ".join(deaf[:_NAMED]) + (f" and {len(deaf) - _NAMED} more" if len(deaf) > _NAMED else "")
    detail = unheard(names) if deaf else "there are no projects"
    return Part(
        "notices", False, "", detail, "anybody hearing of a failing test; it is only in the log and on the page"
    )


def _dagster_yaml(current: Settings) -> Part:
    advice = advice_on_edited_file(current)
    return Part("newest dagster.yaml", advice is None, "", advice or str(instance_file(current)), "newer settings")


def _ratings(current: Settings) -> Part:
    """Whether every check of Checkov is rated; what the table and the site leave out."""
    from resources.configuration.checks import read_remedies
    from resources.configuration.severities import read_severities

    lost = "the rating of findings of these checks: they count as unknown; rate them in configs/checks.yaml"
    try:
        known = read_severities(current.severities, current.checks_file)
        checks = read_remedies(current.remedies, current.checks_file).links
    except ConfigurationError as error:
        return Part("severities", False, "", str(error), "every rating")
    left = sorted(checks.keys() - known.keys())
    detail = f"{len(left)} of {len(checks)} checks have none: {ranges_of(left)}" if left else str(current.severities)
    return Part("severities", not left, "", detail, lost)


def _forges(current: Settings) -> list[Part]:
    """Of each project that has a forge, whether there is a token, and why the forge last took nothing."""
    found = [project for project in _projects() if project.forge]
    if not found:
        return []
    from infraaudit_assets.commands.forge import token_of
    from resources.history import open_history
    from resources.history.forge.faults import faults

    try:
        known = faults(open_history(current.history_url))
    except HistoryError:
        known = {}  # The database has its own row.
    parts = []
    for project in found:
        place = f"{project.forge.kind} at {project.forge.api}" if project.forge else ""
        fault = known[project.name].fault if project.name in known else ""
        try:
            token_of(current, project)
        except ConfigurationError as error:
            fault = str(error)
        lost = f"statuses of commits on {place}; try `infraaudit forge test --project {project.name}`"
        parts.append(Part(f"forge of {project.name}", not fault, "", fault or place, lost))
    return parts


def _table(parts: list[Part]) -> Table:
    table = Table("part", "found")
    for heading in ("version", "where, or why not", "lost without it"):
        table.add_column(heading, overflow="fold")
    for part in parts:
        mark = Text("yes", style="green") if part.found else Text("no", style="red" if part.needed else "yellow")
        table.add_row(part.name, mark, part.version, part.detail, "" if part.found else part.lost)
    return table
