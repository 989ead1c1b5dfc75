"""`infraaudit dora`: what the history says of delivery."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from infraaudit_assets.commands.formats import Form, Format, chosen, print_csv, print_table
from infraaudit_assets.commands.options import AsJson, ProjectName
from infraaudit_assets.commands.projects import find_project
from infraaudit_assets.settings import settings
from infraaudit_domain.dora import Dora
from infraaudit_domain.errors import ConfigurationError


def dora(
    project: ProjectName,
    days: Annotated[float, typer.Option(min=1, max=3650, help="Length of the window that ends now, in days.")] = 30,
    environment: Annotated[str | None, typer.Option(help="Of this environment alone; without it of each.")] = None,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Deployment frequency, lead time, change failure rate and time to restore, for each environment.

    An attempt is a deployment that was deployed, rolled back, failed or degraded; skipped and superseded ones do not
    count. Lead time: from a commit to the healthy deployment that first brought it, median over every commit. Time to
    restore: from a failed attempt to the next healthy one, median.
    """
    from resources.history import open_history
    from resources.history.queries.environments import dora as measure
    from resources.history.queries.environments import environments

    found, history = find_project(project), open_history(settings().history_url)
    wanted = [one for name, one in environments(history) if name == found.name and environment in (None, one)]
    if environment and not wanted:
        raise ConfigurationError(
            f"{found.name} was never deployed to {environment}; `infraaudit dora` lists where it was."
        )
    measured = {name: measure(history, found.name, name, datetime.now(UTC), days) for name in wanted}
    rows = {name: asdict(values) for name, values in measured.items()}
    match chosen(form, as_json):
        case Format.JSON:
            print(json.dumps(rows, indent=2))
        case Format.CSV:
            names = ["environment", *(each.name for each in fields(Dora))]
            print_csv(names, ({"environment": name} | row for name, row in rows.items()))
        case Format.TABLE:
            print_table(_table(measured))


def _table(measured: Mapping[str, Dora]) -> Table:
    table = Table("environment", "deployments", "a day", "lead time", "change failure rate", "time to restore")
    for name, m in measured.items():
        rate = "—" if m.failure_ratio is None else f"{m.failure_ratio:.0%}"
        row = (
            f"{m.deployed} of {m.attempts}",
            f"{m.per_day:.2f}",
            _hours(m.lead_seconds),
            rate,
            _hours(m.restore_seconds),
        )
        table.add_row(name, *row)
    return table


def _hours(seconds: float | None) -> str:
    if seconds is None:
        return "—"
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )
