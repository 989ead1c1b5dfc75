"""`infraaudit gate`: try a policy before it decides."""

import typer

from infraaudit_assets.commands.ask import command_of

app = typer.Typer(help="Try the gate's policy on what was deployed before.", no_args_is_help=True)
app.command("replay")(command_of("gate replay"))


@app.callback()
def gate() -> None:
    """Try the gate's policy on what was deployed before."""
