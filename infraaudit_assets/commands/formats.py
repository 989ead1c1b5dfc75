"""How the questions of the audit are answered: a table for people, CSV and JSON for programs."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from infraaudit_assets.domain.errors import excerpt

if TYPE_CHECKING:
    import pandas as pd


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def show(rows: "pd.DataFrame", form: Format, columns: tuple[str, ...] = ()) -> None:
    """Print rows; a table has only the given columns (all, where none is given)."""
    if form is Format.JSON:
        print(rows.to_json(orient="records", indent=2, force_ascii=False) if len(rows) else "[]")
    elif form is Format.CSV:
        print(rows.to_csv(index=False), end="")
    else:
        Console().print(_table(rows, columns))


def _table(rows: "pd.DataFrame", columns: tuple[str, ...]) -> Table:
    names = columns or tuple(str(name) for name in rows.columns)
    table = Table(*names, caption=f"{len(rows)} rows", caption_justify="left")
    for row in rows[list(names)].itertuples(index=False, name=None):
        table.add_row(*(_cell(name, value) for name, value in zip(names, row, strict=True)))
    return table


def _cell(name: str, value: Any) -> str:
    from rich.markup import escape

    if value is None or value != value:
        return "—"
    text = excerpt(str(value), 200)
    return escape(text[:12] if name in ("commit", "introduced_by", "opened_by", "id", "life") else text)
