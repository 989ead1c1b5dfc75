"""`infraaudit run`: one commit through the whole pipeline, in the foreground."""

import json
from typing import Annotated

import typer

from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import settings


def run(
    project: Annotated[str, typer.Option(help="Name of the project, as in the projects file.")],
    commit: Annotated[str, typer.Option(help="Branch, tag or SHA.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Build, test, scan and deploy one commit. Exits with 1 where the pipeline stopped."""
    from infraaudit_assets.commands.summary import commit_row, summary_table, wide_console
    from infraaudit_assets.runs import dagster_instance, run_commit
    from resources.history import open_history
    from resources.history.queries import overview

    found = find_project(project)
    mirror = mirror_of(found)
    mirror.fetch()
    sha = mirror.resolve(commit)
    with dagster_instance(settings()) as instance:
        finished = run_commit(instance, found, sha)
    (row,) = overview(open_history(settings().history_url), mirror, found.name, found.environment.name, [sha])
    if as_json:
        print(
            json.dumps(
                commit_row(row, finished.run_id) | {"succeeded": finished.succeeded, "reasons": row.reasons}, indent=2
            )
        )
    else:
        wide_console().print(summary_table([row]))
        for stage, reason in row.reasons.items():
            print(f"{stage}: {reason}")
    raise typer.Exit(0 if finished.succeeded else 1)
