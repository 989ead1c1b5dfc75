"""Options that several commands have."""

from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


ProjectName = Annotated[str, typer.Option("--project", help="Name of the project, as in the projects file.")]
EnvironmentName = Annotated[str | None, typer.Option("--environment", help="The first one of the project by default.")]
Form = Annotated[Format, typer.Option("--format", help="How to print the result.")]
AsJson = Annotated[bool, typer.Option("--json", help="The short form of --format json.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Print no more rows than these.")]


def chosen(form: Format, as_json: bool) -> Format:
    """The format that is asked for."""
    return Format.JSON if as_json else form
