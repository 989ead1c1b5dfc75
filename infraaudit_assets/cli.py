"""The command `infraaudit`. Each room of commands has a module of its own; heavy imports are made where used."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from infraaudit_assets.commands import (
    audit,
    dashboard,
    delivery,
    demo,
    doctor,
    dora,
    export,
    exposure,
    history,
    logs,
    projects,
    prune,
    run,
    scan,
    service,
    status,
    up,
)
from infraaudit_domain.errors import ConfigurationError, InfraAuditError

app = typer.Typer(
    name="infraaudit",
    help="Deliver and audit every commit: image, tests, scan, deployment, monitoring, and the history of it all.\n\n"
    "New here? `infraaudit doctor` tells what this machine has, `infraaudit demo` shows the whole pipeline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "Start here": (demo.demo, doctor.doctor, up.up, run.run),
    "Deliver": (status.status, delivery.promote, delivery.rollback, logs.logs, dora.dora),
    "Ask the history": (
        scan.scan,
        audit.trends,
        audit.findings,
        audit.blame,
        audit.compare,
        exposure.exposure,
        exposure.sla,
        exposure.suppressions,
        export.export,
        service.page,
    ),
    "Operate": (service.serve, dashboard.dashboard, prune.prune, history.backup, history.restore),
}
for room, commands in _COMMANDS.items():
    for command in commands:
        app.command(command.__name__, rich_help_panel=room)(command)
app.add_typer(projects.app, name="projects", rich_help_panel="Start here")
app.add_typer(history.app, name="history", rich_help_panel="Operate")
app.add_typer(service.webhook, name="webhook", rich_help_panel="Operate")


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"infraaudit {version('infraaudit')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """What stands before a command."""


def main() -> None:
    """Entry point; exit code 0 good, 1 the pipeline stopped or something failed, 2 wrong usage or configuration."""
    try:
        app()
    except ConfigurationError as error:
        print(f"infraaudit: {error}", file=sys.stderr)
        sys.exit(2)
    except InfraAuditError as error:
        print(f"infraaudit: {error}", file=sys.stderr)
        sys.exit(1)
