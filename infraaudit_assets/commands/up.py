"""`infraaudit up`: the Dagster UI and daemon, until Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from infraaudit_assets.settings import settings


def up(
    demo: Annotated[bool, typer.Option("--demo", help="Show what `infraaudit demo` made.")] = False,
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
) -> None:
    """Start the Dagster UI and the daemon with its sensors; Ctrl-C stops all of it."""
    from infraaudit_assets.runs import prepare_dagster_home
    from resources.process import die_with_parent

    if demo:
        home = settings().state / "demo"
        os.environ |= {"INFRAAUDIT_HOME": str(home), "INFRAAUDIT_PROJECTS": str(home / "projects.yaml")}
        settings.cache_clear()
    prepare_dagster_home(settings())
    program = Path(sys.executable).with_name("dagster")
    command = [str(program), "dev", "--module-name", "infraaudit_assets.definitions", "--port", str(port)]
    print(f"The Dagster UI: http://127.0.0.1:{port} (Ctrl-C stops it)")
    child = subprocess.Popen(command, start_new_session=True, preexec_fn=die_with_parent)
    signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGINT))
    while True:
        try:
            raise typer.Exit(1 if child.wait() not in (0, -signal.SIGINT, 130) else 0)
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)
