"""The command `infraaudit`. Each room of commands has a module of its own; heavy imports are made where used."""

import sys

import typer

from infraaudit_assets.commands import (
    audit,
    delivery,
    demo,
    doctor,
    export,
    feedback,
    history,
    logs,
    projects,
    prune,
    run,
    scan,
    service,
    up,
)
from infraaudit_assets.domain.errors import ConfigurationError, InfraAuditError

app = typer.Typer(
    name="infraaudit",
    help="Deliver and audit every commit: image, tests, scan, deployment, monitoring, and the history of it all.\n\n"
    "New here? `infraaudit doctor` tells what this machine has, `infraaudit demo` shows the whole pipeline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("run")(run.run)
app.command("status")(delivery.status)
app.command("rollback")(delivery.rollback)
app.command("promote")(delivery.promote)
app.command("logs")(logs.logs)
app.command("scan")(scan.scan)
app.command("export")(export.export)
for question in (audit.trends, audit.findings, audit.blame, audit.compare):
    app.command(question.__name__)(question)
app.command("doctor")(doctor.doctor)
app.command("serve")(service.serve)
app.command("dora")(feedback.dora)
app.command("dashboard")(feedback.dashboard)
app.command("prune")(prune.prune)
app.command("backup")(history.backup)
app.command("restore")(history.restore)
app.add_typer(history.app, name="history")
app.add_typer(projects.app, name="projects")
app.add_typer(service.webhook, name="webhook")


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
