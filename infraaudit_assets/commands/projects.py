"""`infraaudit projects`: which repositories there are."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from infraaudit_assets.commands.example import write_missing_example
from infraaudit_assets.commands.formats import print_result, print_rows
from infraaudit_assets.commands.options import AsJson, Form, Format, ProjectName, chosen
from infraaudit_assets.recipients import note_of_unheard
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.projects import Project
from infraaudit_domain.triggers import GitEvent
from resources.configuration.projects import add_project, load_projects
from resources.git.mirror import Mirror
from resources.git.program import without_password

app = typer.Typer(help="List, check and add the repositories in the projects file.", no_args_is_help=True)


def find_project(name: str) -> Project:
    """A project by its name. Raises ConfigurationError that lists the names there are, or what is wrong with it."""
    projects = load_projects(settings().projects)
    found = next((project for project in projects if project.name == name), None)
    if found is not None and found.fault:
        raise ConfigurationError(found.fault)
    if found is None:
        names = ", ".join(project.name for project in projects) or "none"
        raise ConfigurationError(f"{settings().projects} has no project {name!r}; it has: {names}.")
    write_missing_example(found)
    return found


def mirror_of(project: Project) -> Mirror:
    return Mirror(project.url, settings().state.mirror(project.name))


@app.command("list")
def list_projects(form: Form = Format.TABLE, as_json: AsJson = False) -> None:
    """Show every project."""
    projects = load_projects(settings().projects)
    names = ("name", "url", "branches", "deploy_branch")
    rows = [
        {name: getattr(project, name) for name in names} | {"url": without_password(project.url)}
        for project in projects
    ]
    table = Table("name", "repository", "branches", "deployed from", "to")
    for project in projects:
        environments = ", ".join(environment.name for environment in project.environments)
        table.add_row(
            project.name,
            without_password(project.url),
            ", ".join(project.branches),
            project.deploy_branch,
            environments,
        )
    print_rows(rows, names, chosen(form, as_json), table)


@app.command()
def check(
    project: Annotated[str | None, typer.Option(help="Only this one; by default every project.")] = None,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Check all that a run will need: entry, branches, paths, secrets, registry, cluster. Exits with 1 where one is wrong.

    Nothing is built, pushed, deployed or sent; what was not looked at is said to be not checked.
    """
    from infraaudit_assets.commands.project_checking import check_projects

    raise typer.Exit(0 if check_projects(project, chosen(form, as_json)) else 1)


@app.command()
def example() -> None:
    """Write the sample repository, where a project names one (…/example.git) that is not there yet."""
    for project in load_projects(settings().projects):
        write_missing_example(project)


@app.command()
def events(
    project: ProjectName,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Show force-pushes, deleted branches, and commits without a run, each with the reason."""
    from resources.history import open_history
    from resources.history.git_events import git_events

    found = git_events(open_history(settings().history_url), find_project(project).name, limit)
    rows = [{"seen_at": seen_at.isoformat()} | asdict(event) for seen_at, event in found]
    table = Table("seen", "what", "branch", "before", "after", "reason")
    for seen_at, event in found:
        when = seen_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(when, event.kind, event.branch, event.before[:12], event.after[:12], event.reason)
    print_rows(rows, ["seen_at", *(each.name for each in fields(GitEvent))], chosen(form, as_json), table)


@app.command()
def add(
    url: Annotated[str | None, typer.Argument(help="Path or URL of its Git repository.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the project; by default that of the repository.")] = None,
    branch: Annotated[
        str | None, typer.Option(help="Branch that is built and deployed; the repository's default.")
    ] = None,
    dockerfile: Annotated[str, typer.Option(help="Its Dockerfile, where it has several.")] = "",
    tests: Annotated[str, typer.Option(help="Folder of its tests in pytest.")] = "",
    manifests: Annotated[list[str] | None, typer.Option(help="A manifest, folder or overlay; may be repeated.")] = None,
    notify: Annotated[
        list[str] | None, typer.Option(help="Webhook or apprise URL for notices; may be repeated.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="The projects file to write, tracked by Git or not; INFRAAUDIT_PROJECTS.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write the entry without asking.")] = False,
    written_url: Annotated[str | None, typer.Option("--url", hidden=True)] = None,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Read a repository, show what the pipeline would use of it, and add it to the projects file.

    On a terminal it asks before it writes; elsewhere only --yes writes, and without it the exit code is 3. What is in the
    file stays as it is, comments too.
    """
    if written_url is not None:
        if url is not None or dockerfile or tests or manifests:
            raise ConfigurationError(
                "--url looks at no repository, and takes neither URL nor --dockerfile, --tests and --manifests: use "
                "`infraaudit projects add URL`, which does."
            )
        target = file or settings().projects
        _add_unread(name, written_url, branch or "main", notify or (), target, chosen(form, as_json))
        return
    if url is None:
        raise ConfigurationError("Name the repository: infraaudit projects add URL.")
    from infraaudit_assets.commands.project_adding import Request, add_repository
    from infraaudit_domain.repositories.selection import Wanted

    wanted = Wanted(dockerfile, tests, tuple(manifests or ()))
    add_repository(
        Request(url, name, branch, wanted, tuple(notify or ()), file, yes),
        chosen(form, as_json),
    )


def _add_unread(name: str | None, url: str, branch: str, notify: Sequence[str], file: Path, how: Format) -> None:
    """The way of scripts from before: the entry is written without a look at the repository."""
    from infraaudit_assets.commands.project_adding import next_command

    if name is None:
        raise ConfigurationError("--url needs --name; `infraaudit projects add URL` finds a name by itself.")
    project = add_project(file, name, url, branch, notify)
    shown = without_password(project.url)
    then = next_command(file, "run", "--project", name, "--commit", branch)
    message = f"Added {name} ({shown}) to {file}. Next: {then}"
    if unheard := note_of_unheard(settings(), project):
        message += f"\nNote: {unheard}."
    print_result({"name": project.name, "url": shown, "file": str(file)}, how, message)
