"""The command `infraaudit`. A command's module is imported when it is called: `infraaudit --help` imports none."""

import sys
from typing import Annotated

import typer

from infraaudit_assets.commands.catalog import COMMANDS
from infraaudit_assets.commands.lazy import lazy_group
from infraaudit_assets.commands.terminal import exit_code_of

app = typer.Typer(
    name="infraaudit",
    cls=lazy_group(COMMANDS),
    help="Deliver and audit every commit: image, tests, scan, deployment, monitoring, and the history of it all.\n\n"
    "New here? `infraaudit doctor` shows what this machine has, `infraaudit demo` shows the whole pipeline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"infraaudit {version('infraaudit')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """What stands before a command."""


def main() -> None:
    """Entry point; exit code 0 good, 1 the pipeline stopped or something failed, 2 wrong usage or configuration."""
    sys.exit(exit_code_of(app))
