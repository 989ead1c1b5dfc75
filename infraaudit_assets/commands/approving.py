"""`infraaudit approve`: let a commit into an environment that asks for approvals."""

from dataclasses import asdict
from typing import Annotated

import typer

from infraaudit_assets.commands.delivery import environment_of
from infraaudit_assets.commands.formats import print_result
from infraaudit_assets.commands.options import AsJson, EnvironmentName, Form, Format, ProjectName, chosen
from infraaudit_assets.commands.person import me, person
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.commands.rejection import resolved
from infraaudit_assets.settings import settings


def approve(
    project: ProjectName,
    commit: Annotated[str, typer.Option(help="Commit to approve.")],
    reason: Annotated[str, typer.Option(help="Why; whoever asks later who let it through reads this.")],
    environment_name: EnvironmentName = None,
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Withdraw what you gave this commit here: it counts no longer.")
    ] = False,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Let a commit into an environment; once it has all its approvals, one that waits is deployed by itself.

    You are the user of this machine that runs the command. `infraaudit approvals` lists who let what through, and
    `infraaudit deployments --outcome waiting` what waits. For example:
    infraaudit approve --project shop --environment production --commit 1a2b3c4 --reason "load test is green"
    """
    from infraaudit.deploying import approving
    from resources.history import open_history
    from resources.history.decisions import approvals

    found, how = find_project(project), chosen(form, as_json)
    environment, sha = environment_of(found, environment_name), resolved(found, commit)
    past, name = open_history(settings().history_url), person()
    if take_back:
        approvals.take_back(past, found.name, environment.name, sha, reason, name, me())
        fields = {"project": found.name, "environment": environment.name, "sha": sha, "taken_back_by": name}
        print_result(fields, how, f"What {name} gave {sha[:12]} in {environment.name} counts no longer.")
        return
    done = approving.approve(past, mirror_of(found), found, environment, sha, name, reason, me())
    then = "that is enough" if done.is_enough else f"{done.needed - done.approvals} to go"
    said = f"{sha[:12]} in {environment.name}: {done.approvals} of {done.needed} approvals; {then}."
    print_result(asdict(done) | {"reason": reason, "enough": done.is_enough}, how, said)
