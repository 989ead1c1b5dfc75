"""`infraaudit forge test|list|allow`: try what a project's forge is asked, see what it was shown, let a fork be read."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

from infraaudit_assets.commands.formats import print_result, print_rows
from infraaudit_assets.commands.options import AsJson, Form, Format, ProjectName, chosen
from infraaudit_assets.commands.person import person
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import Settings, settings
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.projects import Project

app = typer.Typer(
    help="Try the forge of a project, see what it was shown, and let a fork's request be scanned.", no_args_is_help=True
)
_FULL_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")


@dataclass(frozen=True, slots=True)
class Tried:
    """One thing that a forge was asked."""

    call: str
    good: bool
    words: str
    """What the forge said, or what to do."""


def token_of(current: Settings, project: Project) -> str:
    """The token of a project: of its own file, or of the settings; never that of another. Raises ConfigurationError."""
    given = current.forge_tokens.get(project.name)
    if project.forge and project.forge.token_file:
        place, token = project.forge.token_file, _read(Path(project.forge.token_file))
    elif given:
        place, token = f"INFRAAUDIT_FORGE_TOKENS of {project.name}", given.get_secret_value().strip()
    else:
        raise ConfigurationError(
            f"{project.name} has no token for its forge: set forge.token_file in the projects file, or "
            f'INFRAAUDIT_FORGE_TOKENS=\'{{"{project.name}": "…"}}\'.'
        )
    if not _TOKEN.fullmatch(token):
        raise ConfigurationError(f"What {place} holds is no token: it is empty, or has a space or line break in it.")
    return token


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(8192).decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"The token file {path} holds no token: it is no ASCII text.") from error
    except OSError as error:
        raise ConfigurationError(f"The token file {path} cannot be read: {error.strerror or error}.") from error


@app.command("test")
def test_forge(
    project: ProjectName,
    commit: Annotated[
        str | None, typer.Option(help="The commit that gets a status; by default the newest of the deploy branch.")
    ] = None,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Ask a project's forge for all that is used, set a status on a commit, and say what the token lacks.

    The status is called infraaudit/PROJECT/forge-test, and stays. Exits with 1 where the forge refuses something.
    """
    from rich.table import Table

    current, found = settings(), find_project(project)
    if found.forge is None:
        raise ConfigurationError(f"{project} has no forge; give its entry in {current.projects} `forge: {{}}`.")
    token = token_of(current, found)
    mirror = mirror_of(found)
    mirror.fetch()
    sha = mirror.resolve(commit or found.deploy_branch)
    done = asyncio.run(_walk(current, found, token, sha))
    table = Table("asked of the forge", "taken", "what it said, or what to do")
    for one in done:
        table.add_row(one.call, "yes" if one.good else "no", one.words)
    print_rows([asdict(one) for one in done], [each.name for each in fields(Tried)], chosen(form, as_json), table)
    if not all(one.good for one in done):
        raise typer.Exit(1)
    _forget_fault(current, found)


async def _walk(current: Settings, project: Project, token: str, sha: str) -> list[Tried]:
    return [one async for one in _tries(current, project, token, sha)]


async def _tries(current: Settings, project: Project, token: str, sha: str) -> AsyncIterator[Tried]:
    """Each call that is used, in order; the first that is refused is the last."""
    from infraaudit_domain.forge.answers import Answer, Result
    from infraaudit_domain.forge.statuses import CommitStatus, StatusState, context_of
    from resources.forge.client import ForgeClient, new_connections

    assert project.forge
    async with new_connections() as connections:
        client = ForgeClient(project.forge, token, connections)
        adapter = client.adapter
        status = CommitStatus(context_of(project.name, "forge-test"), StatusState.SUCCESS, "A test of infraaudit")
        link = f"{current.public_url.rstrip('/')}/projects/{project.name}" if current.public_url else ""
        calls = [
            ("the repository", adapter.repository(project.forge)),
            (f"the commit {sha[:12]}", adapter.commit(project.forge, sha)),
            (f"a status of {sha[:12]}", adapter.status(project.forge, sha, status, link)),
        ]
        needs = {
            Result.DENIED: f"It needs {adapter.NEEDS}.",
            Result.ABSENT: f"It is not there, or the token may not see it: it needs {adapter.NEEDS}.",
            Result.BUSY: "Try again later.",
        }
        for call, request in calls:
            answer: Answer = await client.ask(request)
            good = answer.result is Result.TAKEN
            said = f"{request.method} {project.forge.api}{request.path}"
            yield Tried(call, good, said if good else f"{answer.words}. {needs.get(answer.result, '')}".strip())
            if not good:
                return


def _forget_fault(current: Settings, project: Project) -> None:
    from resources.history import open_history
    from resources.history.forge.faults import clear_fault

    if clear_fault(open_history(current.history_url), project.name):
        print(f"What waits for the forge of {project.name} is sent now.", file=sys.stderr)


@app.command("allow")
def allow_fork(
    project: ProjectName,
    request: Annotated[int, typer.Option(help="The number of the pull or merge request.", min=1)],
    commit: Annotated[str, typer.Option(help="The full SHA of its head, which you have looked at.")],
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Let the head of a fork's request be scanned; what is pushed to it later waits again.

    Nothing of a fork is built or run. `infraaudit requests --json` lists the requests with their heads.
    """
    from infraaudit.forge.requests import allow
    from resources.history import open_history

    if not _FULL_SHA.fullmatch(commit):
        # A beginning could be that of another commit, which a stranger has made for it.
        raise ConfigurationError("Give the head's full SHA, as `infraaudit requests --json` shows it.")
    found, name = find_project(project), person()
    allow(open_history(settings().history_url), found, request, commit, name)
    fields = {"project": found.name, "request": request, "head": commit, "allowed_by": name}
    print_result(fields, chosen(form, as_json), f"{commit[:12]} of request {request} is going to be scanned.")


@app.command("list")
def list_statuses(
    project: ProjectName,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Show what a project's forge is to be shown, and whether it has taken it."""
    from rich.table import Table

    from resources.history import open_history
    from resources.history.forge.comments import newest_comments
    from resources.history.forge.statuses import newest_statuses

    asked = open_history(settings().history_url), find_project(project).name, limit
    found = newest_statuses(*asked) + newest_comments(*asked)
    rows = sorted(found, key=lambda row: row["changed_at"], reverse=True)[:limit]
    columns = ["changed_at", "sha", "context", "state", "words", "sent", "attempts", "last_error"]
    table = Table("changed", "commit", "context", "state", "words", "sent", "what the forge said")
    for row in rows:
        shown = (row["sha"][:12], row["context"], row["state"], row["words"])
        table.add_row(row["changed_at"][:19], *shown, "yes" if row["sent"] else "no", row["last_error"])
    print_rows(rows, columns, chosen(form, as_json), table)
