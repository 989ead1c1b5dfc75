"""Options that several commands have."""

from typing import Annotated

import typer

ProjectName = Annotated[str, typer.Option("--project", help="Name of the project, as in the projects file.")]
EnvironmentName = Annotated[str | None, typer.Option("--environment", help="The first one of the project by default.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
