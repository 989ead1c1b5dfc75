"""The severity of a failed check, from a table of our own: Checkov gives it only with an API key.

Deliberately absent: guessing. A check without a rating is ``unknown``, and the gate's policy decides what that means.
"""

import csv
import io
from collections.abc import Mapping

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.findings import Severity


def parse_severities(text: str, overrides: Mapping[str, str] | None = None) -> dict[str, Severity]:
    """Severity by check id, from ``check_id,severity`` lines and overrides that beat them. Raises ConfigurationError with every fault."""
    table: dict[str, Severity] = {}
    faults: list[str] = []
    rows = csv.reader(io.StringIO(text))
    if next(rows, None) != ["check_id", "severity"]:
        faults.append("the first line is not check_id,severity")
    for row in filter(None, rows):
        if len(row) != 2:
            faults.append(f"line {rows.line_num} has {len(row)} fields, not 2")
        elif row[0] in table:
            faults.append(f"line {rows.line_num} names {row[0]} again")
        else:
            _rate(table, row[0], row[1], f"line {rows.line_num}", faults)
    overriding: dict[str, Severity] = {}
    for check_id, name in (overrides or {}).items():
        _rate(overriding, check_id, name, f"the override of {check_id}", faults)
    if faults:
        raise ConfigurationError("Invalid severities:\n" + "\n".join(f"  {fault}" for fault in faults))
    return table | overriding


def _rate(into: dict[str, Severity], check_id: str, name: str, where: str, faults: list[str]) -> None:
    try:
        into[check_id.strip()] = Severity(name.strip().lower())
    except ValueError:
        faults.append(f"{where}: {name!r} is none of {', '.join(Severity)}")
