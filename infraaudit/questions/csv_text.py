"""The values of an answer as JSON and CSV have them; CSV that is safe to open in a spreadsheet."""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

_FORMULA = re.compile(r"^\s*[=+\-@＝＋－＠]|^[\t\r\n]")


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]], line_end: str = "\n") -> str:
    """A header, also where there are no rows, and the rows; a text that a spreadsheet would run as a formula is quoted
    with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=line_end)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def plain(value: Any) -> Any:
    """What JSON has a value for: of numbers, those that are finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, datetime) else value


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # Python's writer quotes a line feed; a carriage return alone would begin a row for whoever takes it for a line's end.
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if _FORMULA.match(text) else text
