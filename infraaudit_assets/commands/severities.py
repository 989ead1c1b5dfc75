"""`infraaudit severities`: how checks are rated, and what another rating would do to the gate of what is live."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from infraaudit_assets.commands.formats import print_rows
from infraaudit_assets.commands.options import AsJson, Form, Format, chosen
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.commands.rated import rated_history
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.projects import Project

if TYPE_CHECKING:
    from infraaudit_domain.scans.findings import Severity

_CHECKS = ("check_id", "severity", "source", "link")
_TRIED = ("project", "environment", "commit", "gate", "gate_then", "reasons_then", "changes")


def severities(
    attempt: Annotated[
        Path | None,
        typer.Option("--try", help="A checks.yaml or severities.csv: what it would do to the gate of what is live."),
    ] = None,
    project: Annotated[str | None, typer.Option(help="Of --try: only this project.")] = None,
    check: Annotated[str, typer.Option(help="Without --try: only checks whose id begins so.")] = "",
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Show how each check is rated and by whom; with --try, what another rating would do to the gate of what is live.

    For example: infraaudit severities --try new-checks.yaml. Exits with 1 where a gate that is open would close.
    """
    how = chosen(form, as_json)
    if attempt is None:
        _list(check, how)
        return
    rows = _tried(_read(attempt), project)
    table = Table("project", "environment", "live", "gate", "gate then", "why then", "what changes")
    for row in rows:
        table.add_row(row["project"], row["environment"], (row["commit"] or "nothing")[:12], row["gate"] or "—",
                      row["gate_then"] or "—", "\n".join(row["reasons_then"]), "\n".join(row["changes"]))  # fmt: skip
    print_rows(rows, _TRIED, how, table)
    raise typer.Exit(1 if any((row["gate"], row["gate_then"]) == ("open", "closed") for row in rows) else 0)


def _list(check: str, how: Format) -> None:
    from resources.configuration.checks import read_overrides, read_remedies
    from resources.configuration.severities import read_severities

    now = settings()
    own, known = read_overrides(now.checks_file), read_severities(now.severities)
    remedies = read_remedies(now.remedies, now.checks_file)
    rows = []
    for name in sorted({*own, *known, *remedies.links}):
        if name.startswith(check):
            source = "site" if name in own else "table" if name in known else "none"
            severity = own.get(name, known.get(name, "unknown"))
            rows.append({"check_id": name, "severity": severity, "source": source, "link": remedies.of(name).link})
    table = Table("check", "severity", "rated by", "read")
    for row in rows:
        table.add_row(*(str(row[name]) for name in _CHECKS))
    print_rows(rows, _CHECKS, how, table)


def _read(file: Path) -> "dict[str, Severity]":
    from resources.configuration.severities import read_severities

    if not file.is_file():
        raise ConfigurationError(f"There is no file {file} to try.")
    now = settings()
    return read_severities(file, now.checks_file) if file.suffix == ".csv" else read_severities(now.severities, file)


def _tried(rating: "dict[str, Severity]", name: str | None) -> list[dict[str, Any]]:
    from resources.configuration.projects import read_projects

    projects = [find_project(name)] if name else list(read_projects(settings().projects))
    return [_row(project, each.name, rating) for project in projects for each in project.environments]


def _row(project: Project, environment: str, rating: "dict[str, Severity]") -> dict[str, Any]:
    from infraaudit.ratings import rerate

    found = rerate(rated_history(), mirror_of(project), project, environment, settings().gate_file, rating,
                   datetime.now(UTC))  # fmt: skip
    row: dict[str, Any] = {"project": project.name, "environment": environment, "commit": None, "gate": None,
                           "gate_then": None, "reasons_then": [], "changes": []}  # fmt: skip
    if found is None:
        return row
    changes = [f"{check}: {before} to {after}, {number} open" for (check, before, after), number in
               sorted(found.changes.items())]  # fmt: skip
    gates = {"gate": found.now.passed, "gate_then": found.then.passed}
    words = {name: "open" if passed else "closed" for name, passed in gates.items()}
    return row | words | {"commit": found.sha, "reasons_then": list(found.then.reasons), "changes": changes}
