"""The severity of a failed check, from a table of our own: Checkov gives it only with an API key.

Deliberately absent: guessing. A check without a rating is ``unknown``, and the gate's policy decides what that means.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.scans.findings import Severity


def parse_severities(
    text: str, overrides: Mapping[str, str] | None = None, name: str = "severities"
) -> dict[str, Severity]:
    """Severity by check id, from ``check_id,severity`` lines and overrides that beat them.

    ``name`` is the file's, in messages. Raises ConfigurationError with every fault and its line.
    """
    table: dict[str, Severity] = {}
    faults: list[str] = []
    head, *rows = list(_rows(text, faults)) or [(1, [])]
    if head[1] != ["check_id", "severity"]:
        faults.append("line 1 is not check_id,severity")
    for line, row in rows:
        if len(row) != 2:
            faults.append(f"line {line} has {len(row)} fields, not 2")
        elif row[0].strip() in table:
            faults.append(f"line {line} names {row[0].strip()} again")
        else:
            _rate(table, row[0], row[1], f"line {line}", faults)
    overriding: dict[str, Severity] = {}
    for check_id, name in (overrides or {}).items():
        _rate(overriding, check_id, name, f"the override of {check_id}", faults)
    if faults:
        raise ConfigurationError(f"Invalid {name}:\n" + "\n".join(f"  {fault}" for fault in faults))
    return table | overriding


def _rows(text: str, faults: list[str]) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(io.StringIO(text), strict=True)
    try:
        yield from ((rows.line_num, row) for row in rows if row)
    except csv.Error as error:
        faults.append(f"line {rows.line_num} is no CSV: {error}")


def _rate(into: dict[str, Severity], check_id: str, name: str, where: str, faults: list[str]) -> None:
    try:
        into[check_id.strip()] = Severity(name.strip().lower())
    except ValueError:
        faults.append(f"{where}: {name!r} is none of {', '.join(Severity)}")


def ranges_of(check_ids: Iterable[str]) -> str:
    """Check ids in few words: CKV_GHA_1-3, CKV_YC_2."""
    families: dict[str, list[int]] = {}
    others = []
    for check in check_ids:
        family, _, number = check.rpartition("_")
        if family and number.isascii() and number.isdecimal() and str(int(number)) == number:
            families.setdefault(family, []).append(int(number))
        else:
            others.append(check)
    words = [f"{family}_{span}" for family, numbers in sorted(families.items()) for span in _spans(sorted(numbers))]
    return ", ".join([*words, *sorted(others)])


def _spans(numbers: list[int]) -> Iterator[str]:
    start = before = numbers[0]
    for number in [*numbers[1:], None]:
        if number is None or number != before + 1:
            yield str(start) if start == before else f"{start}-{before}"
            start = number or 0
        before = number or 0
