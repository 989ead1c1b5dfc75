"""`infraaudit up`: the Dagster UI, the daemon and the service, until Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from infraaudit_assets.commands.demo import demo_home, enter_demo
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError

_SECONDS_BETWEEN_LOOKS = 0.2


def up(
    demo: Annotated[bool, typer.Option("--demo", help="Show what `infraaudit demo` made.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Dagster UI.")] = 3000,
) -> None:
    """Start the Dagster UI, the daemon with its sensors, and the service, until Ctrl-C.

    Runs in progress then run to their end, and queued ones wait for the next start; a second Ctrl-C kills all of it.
    """
    from infraaudit_assets.commands.example import write_missing_example
    from infraaudit_assets.runs import dagster_instance
    from resources.configuration.projects import read_projects

    _require_free(port)
    if demo:
        enter_demo(demo_home())
    os.environ.setdefault("INFRAAUDIT_DAGSTER_URL", f"http://127.0.0.1:{port}")
    settings.cache_clear()
    for project in read_projects(settings().projects):
        write_missing_example(project)
    with dagster_instance(settings()):
        pass  # On a fresh home, processes that start side by side would all make Dagster's tables, and some would fail.
    programs = Path(sys.executable).parent
    # `dg dev`, which Dagster wants instead, is in a package that nothing else here needs.
    python = [sys.executable, "-W", "ignore:Function `dev_command` is superseded"]
    print(f"The Dagster UI: http://127.0.0.1:{port}")
    raise typer.Exit(
        _run_together(
            [
                *python,
                str(programs / "dagster"),
                "dev",
                "--module-name",
                "infraaudit_assets.definitions",
                "--port",
                str(port),
            ],
            [str(programs / "infraaudit"), "serve"],
        )
    )


def _require_free(port: int) -> None:
    """Refuse a taken port at once: Dagster only logs it, and starts without its UI."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConfigurationError(
                f"Port {port} of 127.0.0.1 cannot be had ({error.strerror}), perhaps because of another `infraaudit up`. "
                "Stop that, or give another one with --port."
            ) from error


def _run_together(*commands: list[str]) -> int:
    """Run programs until one ends or we are asked to stop; then all of them stop. 0 where we were asked to.

    Asked a second time, we do not wait for their end, and kill them with all that they started.
    """
    from infraaudit_assets.dagster_home import instance_file
    from resources.dagster.workers import kill_launched, launched
    from resources.machine.process import dying_with_us, kill_group

    asked_times = 0

    def note(*_: object) -> None:
        nonlocal asked_times
        asked_times += 1

    # Before the children start: a shell has what it starts with `&` ignore interrupts, and they would inherit that.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    children = [subprocess.Popen(dying_with_us(words), start_new_session=True) for words in commands]
    while not asked_times and all(child.poll() is None for child in children):
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    asked = asked_times
    for child in children:
        # Once: `dagster dev` ends its own children on an interrupt, and leaves them on a second one or a SIGTERM.
        child.send_signal(signal.SIGINT)
    home, has_said = instance_file(settings()).parent, False
    while (is_running := any(child.poll() is None for child in children)) or (going := launched(home)):
        if asked_times > 1:
            for child in children:
                kill_group(child)
            kill_launched(home)
        elif not is_running and not has_said:
            has_said = True
            typer.echo(f"{len(going)} run(s) that began go on to their end; Ctrl-C once more kills them.", err=True)
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return 0 if asked else 1
