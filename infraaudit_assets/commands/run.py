"""`infraaudit run`: one commit through the whole pipeline, in the foreground."""

from typing import Annotated

import typer

from infraaudit_assets.commands.formats import print_result
from infraaudit_assets.commands.options import AsJson, Form, Format, ProjectName, chosen
from infraaudit_assets.commands.person import me
from infraaudit_assets.commands.progress import output_of_steps, progress
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.commands.rated import rated_history
from infraaudit_assets.commands.warm import warm_or_here
from infraaudit_assets.dagster_home import prepare_dagster_home
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import excerpt
from infraaudit_domain.judging.audit_log import Act


def run(
    project: ProjectName,
    commit: Annotated[str, typer.Option(help="Branch, tag or SHA.")],
    form: Form = Format.TABLE,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Dagster's log of every step.")] = False,
) -> None:
    """Build, test, scan and deploy one commit. Exits with 1 where the pipeline stopped."""
    find_project(project)
    prepare_dagster_home(settings())
    raise typer.Exit(warm_or_here(settings(), run_here, project, commit, chosen(form, as_json), verbose))


def run_here(project: str, commit: str, form: str, verbose: bool) -> int:
    """Run one commit in this process and print its result; the exit code."""
    from infraaudit.questions.overview import overview
    from infraaudit_assets.commands.summary import commit_row, print_summary
    from infraaudit_assets.runs import dagster_instance, run_commit
    from resources.history.decisions.audit_log import log_act

    found, log = find_project(project), settings().state.run_log
    mirror = mirror_of(found)
    with dagster_instance(settings()) as instance, progress() as shown:
        mirror.fetch()
        sha = mirror.resolve(commit)
        log_act(rated_history(), me(), Act.RUN, found.name, sha)
        task = shown.add_task(f"{sha[:7]} {excerpt(mirror.commit(sha).subject)[:44]}", total=1)
        with output_of_steps(log, verbose):
            finished = run_commit(instance, found, sha)
        shown.advance(task)
    (row,) = overview(rated_history(), mirror, found.name, found.environment.name, [sha])
    if form != Format.TABLE:
        said = {"succeeded": finished.succeeded, "reasons": row.reasons}
        print_result(commit_row(row, finished.run_id) | said, Format(form), "")
    else:
        print_summary([row])
        for stage, reason in row.reasons.items():
            print(f"{stage}: {reason}")
        if not finished.succeeded and not verbose:
            print(f"Dagster's log of every step: {log}")
    return 0 if finished.succeeded else 1
