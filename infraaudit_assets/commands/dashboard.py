"""`infraaudit dashboard`: the Grafana dashboard as a file."""

from pathlib import Path
from typing import Annotated

import typer


def dashboard(
    write: Annotated[bool, typer.Option("--write", help="Write the file instead of printing it.")] = False,
    file: Annotated[Path, typer.Option(help="Where --write writes it.")] = Path(
        "configs/prometheus/grafana_dashboard.json"
    ),
) -> None:
    """Print the Grafana dashboard of the pipeline, for import, or write it."""
    from infraaudit.pages.grafana_dashboard import build_dashboard

    if not write:
        print(build_dashboard(), end="")
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(build_dashboard(), "utf-8")
    print(f"Wrote {file}")
