"""`infraaudit status`: what is live in every environment, and whether it is as it was deployed."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from infraaudit_assets.commands.delivery import target_of
from infraaudit_assets.commands.formats import print_rows
from infraaudit_assets.commands.options import AsJson, Form, Format, chosen
from infraaudit_assets.commands.projects import find_project
from infraaudit_assets.recipients import note_of_unheard
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.projects import Environment, Project

if TYPE_CHECKING:
    from resources.history import History

_SCANNED = ("scanned_from", "commits_before", "commits_unscanned", "commits_failed", "commits_earlier_rules")
_COLUMNS = ("project", "environment", "sha", "since", "state", "drift", "url", "target", "reason", "trusted_commit",
            "trusted_hidings", *_SCANNED, "waiting", "unheard")  # fmt: skip


def status(
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Show what is live in every environment, since when, whether it is healthy, and what has drifted.

    Exits with 1 where something is not healthy or has drifted.
    """
    from resources.configuration.projects import read_projects
    from resources.history import open_history

    past = open_history(settings().history_url)
    projects = [find_project(project)] if project else list(read_projects(settings().projects))
    rows = [_status_row(found, environment, past) for found in projects for environment in found.environments]
    print_rows(rows, _COLUMNS, chosen(form, as_json), _table(rows))
    raise typer.Exit(0 if all(row["state"] in ("healthy", "empty") and not row["drift"] for row in rows) else 1)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("project", "environment", "live", "since (UTC)", "state", "drift", "where")
    notes = [*map(_notes, {row["project"]: row for row in rows}.values()), *map(_waiting_note, rows)]
    table.caption = "\n".join(filter(None, notes))
    for row in rows:
        drift = "unknown" if row["drift"] is None else "\n".join(row["drift"]) or "none"
        since = (row["since"] or "")[:19].replace("T", " ")
        table.add_row(row["project"], row["environment"], (row["sha"] or "nothing")[:12], since, row["state"], drift,
                      row["url"] or row["target"])  # fmt: skip
    return table


def _waiting_note(row: dict[str, Any]) -> str:
    """What waits to be deployed to an environment, and for what."""
    where = f"{row['project']} in {row['environment']}"
    return "\n".join(f"{where}: {one['sha'][:12]} is {one['outcome']}: {one['reason']}" for one in row["waiting"])


def _notes(row: dict[str, Any]) -> str:
    """What is to be known of a project, whatever its environments are."""
    return "\n".join(
        f"{row['project']}: {note}"
        for note in filter(None, (_trusted_note(row), _scanned_note(row), _rules_note(row), row["unheard"]))
    )


def _trusted_note(row: dict[str, Any]) -> str:
    if not row["trusted_hidings"]:
        return ""
    hidden = "; ".join(row["trusted_hidings"])
    return f"the gate accepts what its Checkov configuration hid at the first scan ({row['trusted_commit'][:12]}): {hidden}"


def _scanned_note(row: dict[str, Any]) -> str:
    """How much of the deploy branch is not known; nothing where all of it is."""
    before, unscanned, failed = (row[f"commits_{name}"] for name in ("before", "unscanned", "failed"))
    if not unscanned and not failed:
        return ""
    if row["scanned_from"] is None:
        return f"none of its {before} commits is scanned"
    since = unscanned + failed - before
    message = f"scanned from {row['scanned_from'][:12]} on; {before} commits before and {since} since are not scanned"
    return f"{message}, of which {failed} could not be" if failed else message


def _rules_note(row: dict[str, Any]) -> str:
    """How far a history of an earlier version is from the rules of this one."""
    count = row["commits_earlier_rules"]
    if not count:
        return ""
    return f"{count} commits are to be scanned again, under this version's rules: infraaudit serve does it in the background"


def _status_row(project: Project, environment: Environment, past: "History") -> dict[str, Any]:
    from infraaudit.deploying.live_state import look_at
    from resources.history.decisions.approvals import held_deployments
    from resources.history.deployments import live_since

    live = past.live(project.name, environment.name)
    row: dict[str, Any] = {"project": project.name, "environment": environment.name, "sha": None, "since": None,
                           "state": "empty", "drift": None, "url": None, "target": "", "reason": ""}  # fmt: skip
    row |= _trusted(past, project) | _scanned(past, project) | {"unheard": note_of_unheard(settings(), project)}
    held = held_deployments(past, project.name, environment.name)
    row["waiting"] = [{"sha": one.sha, "outcome": one.outcome.value, "reason": one.reason} for one in held]
    if live is None:
        return row
    row |= {"sha": live.sha, "since": live_since(past, live).isoformat(), "target": live.target}
    try:
        now = look_at(past, project, environment, lambda live: target_of(environment, live))
    except InfraAuditError as error:
        return row | {"state": "unknown", "reason": str(error)}
    bad = "degraded" if now.degraded else "not healthy"
    drift = None if now.drift is None else [str(difference) for difference in now.drift]
    return row | {
        "state": "healthy" if now.healthy else bad,
        "url": now.url,
        "reason": now.reason,
        "drift": drift,
    }


def _trusted(past: "History", project: Project) -> dict[str, Any]:
    """What the project's commits may hide from the scanner since they did when it was first scanned."""
    from infraaudit_domain.scans.hidings import listed
    from resources.history.trusted import trusted_configuration

    known = trusted_configuration(past, project.name)
    sha, hidden = (known[0], listed(known[1])) if known is not None else (None, [])
    return {"trusted_commit": sha, "trusted_hidings": hidden}


def _scanned(past: "History", project: Project) -> dict[str, Any]:
    """How much of the deploy branch is scanned, as it was last followed."""
    from resources.history.queries.scanned_past import scanned_past
    from resources.history.stored_line import stored_line

    known = asdict(scanned_past(stored_line(past, project.name, project.deploy_branch)))
    return {name: known[name] for name in _SCANNED}
