"""How commands print rows and results: a table or a sentence for people, CSV and JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from rich import box
from rich.table import Table

from infraaudit.questions.csv_text import csv_text, plain
from infraaudit.questions.question import Question
from infraaudit_assets.commands.options import Format
from infraaudit_assets.commands.terminal import standard_output
from infraaudit_domain.errors import excerpt

_SHORTEST = 16
"""The width to which a column of long text may shrink; it is folded there, not cut."""
_BETWEEN = 2
_SHORTENED = (
    "commit",
    "after",
    "introduced_after",
    "last_read",
    "introduced_by",
    "opened_by",
    "fixed_by",
    "sha",
    "id",
    "life",
    "replaced",
    "replaced_sha",
    "instead",
    "run_id",
)


def show(
    question: Question, rows: Sequence[Mapping[str, Any]], how: Format, note: str = "", total: int | None = None
) -> None:
    """Print the rows of a question; a table has the columns that it shows, with their titles.

    ``total`` is how many rows there are where only the first ones are given.
    """
    if how is Format.TABLE:
        console = standard_output()
        note = "\n".join(filter(None, (f"the first of {total}" if total and total > len(rows) else "", note)))
        _print(_table(rows, question.headings, note, console.width))
    else:
        print_rows(rows, question.names, how)


def print_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], how: Format, table: Table | None = None
) -> None:
    """Print rows with exactly these columns, or the table that a command has made of them."""
    if how is Format.JSON:
        print(json.dumps([_named(row, columns) for row in rows], indent=2, ensure_ascii=False))
    elif how is Format.CSV:
        print(_csv(rows, columns), end="")
    elif table is not None:
        notes = (counted(table.row_count), str(table.caption or ""))
        table.caption, table.caption_justify = "\n".join(filter(None, notes)), "left"
        _print(table)


def _print(table: Table) -> None:
    """A pipe gets the words alone: lines around them are noise to what reads it."""
    console = standard_output()
    if not console.is_terminal:
        table.box = None
    console.print(table)


def print_result(result: Mapping[str, Any], how: Format, sentence: str, file: TextIO | None = None) -> None:
    """Print the one result of a command: a sentence for people, else an object, or a row with its header."""
    texts = {Format.TABLE: lambda: f"{sentence}\n", Format.CSV: lambda: _csv([result], list(result)),
             Format.JSON: lambda: json.dumps(_named(result, list(result)), indent=2, ensure_ascii=False) + "\n"}  # fmt: skip
    (file or sys.stdout).write(texts[how]())


def print_no_data(columns: Sequence[str], how: Format, missing: str) -> None:
    """Print what is missing before there can be rows: as ``no_data`` beside none, where a program reads it."""
    if how is Format.JSON:
        print(json.dumps({"no_data": missing, "rows": []}, indent=2, ensure_ascii=False))
        return
    print(_csv([], columns) if how is Format.CSV else f"{counted(0)}\n", end="")
    print(missing, file=sys.stderr if how is Format.CSV else sys.stdout)


def print_row(row: Mapping[str, Any], columns: Sequence[str], how: Format) -> None:
    """One row of a stream: an object on one line, or a row of CSV without its header (see :func:`csv_text`)."""
    text = json.dumps(_named(row, columns), ensure_ascii=False) + "\n" if how is Format.JSON else _csv([row], columns)
    print(text if how is Format.JSON else text.partition("\n")[2], end="", flush=True)


def counted(rows: int) -> str:
    """What stands under every table."""
    return "1 row" if rows == 1 else f"{rows} rows"


def _csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    return csv_text(columns, ([_in_one_cell(row.get(name)) for name in columns] for row in rows))


def _in_one_cell(value: Any) -> Any:
    """A list is one cell, a line for each of its entries; an object is its JSON."""
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else plain(value)


def _named(row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    return {name: plain(row.get(name)) for name in columns}


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], note: str, width: int) -> Table:
    """The first columns matter most: the last ones are left out, and named below, where the terminal is too narrow."""
    cells = {name: [_cell(name, plain(row.get(name))) for row in rows] for name in columns}
    shown = _fitting({name: [columns[name], *cells[name]] for name in columns}, width)
    hidden = [label for name, label in columns.items() if name not in shown]
    caption = counted(len(rows))
    caption += f"; not shown at this width: {', '.join(hidden)}" if hidden else ""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False,
                  caption="\n".join(filter(None, (caption, note))), caption_justify="left")  # fmt: skip
    for name in shown:
        longest = max(map(len, (columns[name], *cells[name])))
        table.add_column(
            columns[name], overflow="fold", no_wrap=longest <= _SHORTEST, min_width=min(longest, _SHORTEST)
        )
    for row in zip(*(cells[name] for name in shown), strict=True):
        table.add_row(*row)
    return table


def _fitting(texts: Mapping[str, list[str]], width: int) -> list[str]:
    """The columns that fit, each by its name with its title and cells."""
    shown: list[str] = []
    taken = 0
    for name, cells in texts.items():
        taken += min(max(map(len, cells)), _SHORTEST) + _BETWEEN
        if taken - _BETWEEN > width and shown:
            break
        shown.append(name)
    return shown


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    text = " ".join(excerpt(str(value), 200).split())
    if name in _SHORTENED:
        return text[:8]
    is_time = name == "at" or name.endswith(("_at", "_from", "_to", "since", "until"))
    return text[:16].replace("T", " ") if is_time else text
