"""`infraaudit reject`: a commit that must never be deployed again, or one that may be after all."""

from dataclasses import asdict
from typing import Annotated

import typer

from infraaudit_assets.commands.formats import print_result
from infraaudit_assets.commands.options import AsJson, Form, Format, ProjectName, chosen
from infraaudit_assets.commands.person import me, person
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError, RepositoryError
from infraaudit_domain.projects import Project


def reject(
    project: ProjectName,
    commit: Annotated[str, typer.Option(help="Commit to reject.")],
    reason: Annotated[str, typer.Option(help="Why; whoever tries to deploy it reads this.")],
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Undo a rejection: the commit may be deployed again.")
    ] = False,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Reject a commit for good: nobody deploys it, promotes it or goes back to it, and it is never advised.

    What is live stays live. `infraaudit rejections` lists what was rejected.
    """
    from resources.history import open_history
    from resources.history.decisions import rejections as past

    found, how = find_project(project), chosen(form, as_json)
    if not reason.strip():
        raise ConfigurationError("--reason is empty; say why, for whoever wants to deploy the commit later.")
    history, sha = open_history(settings().history_url), resolved(found, commit)
    if take_back:
        past.take_back(history, found.name, sha, reason, person(), me())
        fields = {"project": found.name, "sha": sha, "rejected": False, "reason": reason}
        print_result(fields, how, f"{sha[:12]} may be deployed again.")
        return
    given = past.reject(history, found.name, sha, reason, person(), me())
    is_live = [
        environment.name
        for environment in found.environments
        if (live := history.live(found.name, environment.name)) and live.sha == sha
    ]
    message = f"{sha[:12]} is rejected: it is never deployed or advised again."
    if is_live:
        message += (
            f" It is live in {', '.join(is_live)} and stays there: `infraaudit rollback --advise` names a way back."
        )
    print_result(asdict(given) | {"rejected": True, "live_in": is_live}, how, message)


def resolved(project: Project, commit: str) -> str:
    """The SHA of a commit, which may be newer than what was fetched."""
    mirror = mirror_of(project)
    try:
        return mirror.resolve(commit)
    except RepositoryError:
        mirror.fetch()
        return mirror.resolve(commit)
