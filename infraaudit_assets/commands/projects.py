"""`infraaudit projects`: which repositories there are."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from infraaudit_assets.commands.example import write_missing_example
from infraaudit_assets.domain.errors import ConfigurationError, RepositoryError
from infraaudit_assets.domain.projects import Project
from infraaudit_assets.settings import settings
from resources.git import Mirror
from resources.project_file import add_project, read_projects

app = typer.Typer(help="List, check and add the repositories in the projects file.", no_args_is_help=True)


def find_project(name: str) -> Project:
    """A project by its name. Raises ConfigurationError that lists the names there are."""
    projects = read_projects(settings().projects)
    found = next((project for project in projects if project.name == name), None)
    if found is None:
        names = ", ".join(project.name for project in projects) or "none"
        raise ConfigurationError(f"{settings().projects} has no project {name!r}; it has: {names}.")
    write_missing_example(found)
    return found


def mirror_of(project: Project) -> Mirror:
    return Mirror(project.url, settings().state / "mirrors" / project.name)


@app.command("list")
def list_projects(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show every project."""
    projects = read_projects(settings().projects)
    if as_json:
        rows = [
            {"name": p.name, "url": p.url, "branches": p.branches, "deploy_branch": p.deploy_branch} for p in projects
        ]
        print(json.dumps(rows, indent=2))
        return
    table = Table("name", "repository", "branches", "deployed from", "to")
    for project in projects:
        places = ", ".join(environment.name for environment in project.environments)
        table.add_row(project.name, project.url, ", ".join(project.branches), project.deploy_branch, places)
    Console().print(table)


@app.command()
def check() -> None:
    """Check the projects file, and that every repository can be read. Exits with 1 where one cannot."""
    faults = 0
    for project in read_projects(settings().projects):
        write_missing_example(project)
        mirror = mirror_of(project)
        try:
            mirror.fetch()
            branches = mirror.branches()
            fault = None if project.deploy_branch in branches else f"has no branch {project.deploy_branch}"
        except RepositoryError as error:
            fault = str(error)
        faults += fault is not None
        print(f"{project.name}: {fault or f'good, {len(branches)} branches'}")
    raise typer.Exit(1 if faults else 0)


@app.command()
def add(
    name: Annotated[str, typer.Option(help="Name of the project: lower case, digits, - and _.")],
    url: Annotated[str, typer.Option(help="Path or URL of its Git repository.")],
    branch: Annotated[str, typer.Option(help="Branch that is built and deployed.")] = "main",
) -> None:
    """Add a repository to the projects file; what is in the file stays as it is."""
    project = add_project(settings().projects, name, url, branch)
    print(
        f"Added {project.name} ({project.url}) to {settings().projects}. Next: infraaudit run --project {name} --commit {branch}"
    )
