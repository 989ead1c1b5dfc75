"""How the questions of the audit are answered: a table for people, CSV and JSON for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from infraaudit.questions.csv_text import csv_text
from infraaudit_assets.commands.terminal import standard_output
from infraaudit_domain.errors import excerpt

if TYPE_CHECKING:
    import pandas as pd


_SHORTEST = 16
"""The width to which a column of long text may shrink; it is folded there, not cut."""
_BETWEEN = 2
_SHORTENED = ("commit", "introduced_by", "opened_by", "fixed_by", "sha", "id", "life")


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


Form = Annotated[Format, typer.Option("--format", help="How to print.")]


def chosen(form: Format, as_json: bool) -> Format:
    """The format that is asked for; --json is the short form of --format json."""
    return Format.JSON if as_json else form


def print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows as CSV with these columns; a list is one cell, a line for each of its entries."""
    print(csv_text(columns, ([_in_one_cell(row.get(name)) for name in columns] for row in rows)), end="")


def print_table(table: Table) -> None:
    """A table that a command has made, with the count of its rows below, as under every other."""
    table.caption, table.caption_justify = counted(table.row_count), "left"
    standard_output().print(table)


def counted(rows: int) -> str:
    """What stands under every table."""
    return "1 row" if rows == 1 else f"{rows} rows"


def _in_one_cell(value: Any) -> Any:
    return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value


def show(rows: "pd.DataFrame", form: Format, columns: Mapping[str, str] | None = None, note: str = "") -> None:
    """Print rows; a table has only the given columns, under the labels given (all of them, where none is given).

    The first columns matter most: the last ones are left out, and named below, where the terminal is too narrow.
    """
    if form is Format.JSON:
        print(json.dumps(_plain(rows), indent=2, ensure_ascii=False))
    elif form is Format.CSV:
        print(csv_text([str(name) for name in rows.columns], (tuple(row.values()) for row in _plain(rows))), end="")
    else:
        console = standard_output()
        console.print(_table(rows, columns or {str(name): str(name) for name in rows.columns}, note, console.width))


def _plain(rows: "pd.DataFrame") -> list[dict[str, Any]]:
    named = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in named]


def _table(rows: "pd.DataFrame", columns: Mapping[str, str], note: str, width: int) -> Table:
    cells = {name: [_cell(name, value) for value in rows[name]] for name in columns}
    shown = _fitting({label: cells[name] for name, label in columns.items()}, width)
    hidden = [label for label in columns.values() if label not in shown]
    caption = counted(len(rows))
    caption += f"; not shown at this width: {', '.join(hidden)}" if hidden else ""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False,
                  caption="\n".join(filter(None, (caption, note))), caption_justify="left")  # fmt: skip
    for label in shown:
        longest = _width(label, cells[next(name for name in columns if columns[name] == label)])
        table.add_column(label, overflow="fold", no_wrap=longest <= _SHORTEST, min_width=min(longest, _SHORTEST))
    for row in zip(*(cells[name] for name, label in columns.items() if label in shown), strict=True):
        table.add_row(*row)
    return table


def _fitting(cells: Mapping[str, list[str]], width: int) -> list[str]:
    shown: list[str] = []
    taken = 0
    for label, texts in cells.items():
        taken += min(_width(label, texts), _SHORTEST) + _BETWEEN
        if taken - _BETWEEN > width and shown:
            break
        shown.append(label)
    return shown


def _width(label: str, texts: list[str]) -> int:
    return max(map(len, (label, *texts)))


def _cell(name: str, value: Any) -> str:
    if value is None or value != value:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    text = " ".join(excerpt(str(value), 200).split())
    if name in _SHORTENED:
        return text[:8]
    return (
        text[:16].replace("T", " ")
        if name == "at" or name.endswith(("_at", "_from", "_to", "since", "until"))
        else text
    )
