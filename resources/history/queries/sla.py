"""How fast findings are fixed, how old the open ones are, and which are older than the SLA allows.

Only what code did counts: what a scanner, a rule or a configuration ended is not fixed, and what one of them brought has
stood since it arrived.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from infraaudit_domain.causes import CODE
from infraaudit_domain.columns import SLA_COLUMNS
from infraaudit_domain.findings import FindingStatus, Severity
from infraaudit_domain.suppressions import Suppression, suppressed_by
from resources.history import schema
from resources.history.queries.frames import columns_of, frame, line_times
from resources.history.queries.rules import arrivals_of_rules
from resources.history.rows import finding_of
from resources.history.stored_line import StoredLine

if TYPE_CHECKING:
    import pandas as pd

_BOUNDS = (7, 30, 90)


def sla(
    line: StoredLine,
    limits: Mapping[Severity, float],
    now: datetime,
    suppressions: Sequence[Suppression] = (),
    since: datetime | None = None,
) -> "pd.DataFrame":
    """How fast findings are fixed, as a table; see :func:`sla_rows`."""
    return frame(SLA_COLUMNS, sla_rows(line, limits, now, suppressions, since))


def sla_rows(
    line: StoredLine,
    limits: Mapping[Severity, float],
    now: datetime,
    suppressions: Sequence[Suppression] = (),
    since: datetime | None = None,
) -> list[dict[str, Any]]:
    """One row for each severity, the worst first. Ages are in days, from the commit that introduced or reopened.

    ``breached`` counts open findings older than their limit, ``fixed_late`` those that were when they were fixed;
    both are None where a severity has no limit. ``since`` leaves out fixes before it.
    """
    times = _Times(line_times(line), arrivals_of_rules(line))
    ages = _ages(line, times, now, suppressions)
    fixes = _fixes(line, times, since)
    return [_row(severity, limits.get(severity), ages, fixes) for severity in Severity]


@dataclass(frozen=True, slots=True)
class _Times:
    """When commits were made, by position, and when rules arrived that opened findings."""

    commits: Mapping[int, datetime]
    rules: Mapping[tuple[str, int], datetime]

    def opening(self, life: str, position: int) -> datetime | None:
        return self.rules.get((life, position)) or self.commits.get(position)


def _row(
    severity: Severity,
    limit: float | None,
    ages: Mapping[str, Sequence[float]],
    fixes: Mapping[str, Sequence[float]],
) -> dict[str, Any]:
    old, fixed = ages.get(severity.value, ()), fixes.get(severity.value, ())
    within = [sum(age <= bound for age in old) for bound in _BOUNDS]
    return {
        "severity": severity.value,
        "sla_days": limit,
        "open": len(old),
        "breached": None if limit is None else sum(age > limit for age in old),
        "oldest_days": round(max(old), 1) if old else None,
        "median_days": round(median(old), 1) if old else None,
        "up_to_7_days": within[0],
        "up_to_30_days": within[1] - within[0],
        "up_to_90_days": within[2] - within[1],
        "over_90_days": len(old) - within[2],
        "fixed": len(fixed),
        "mean_days_to_fix": round(fmean(fixed), 1) if fixed else None,
        "median_days_to_fix": round(median(fixed), 1) if fixed else None,
        "fixed_late": None if limit is None else sum(days > limit for days in fixed),
    }


def _ages(
    line: StoredLine, times: _Times, now: datetime, suppressions: Sequence[Suppression]
) -> dict[str, list[float]]:
    table = schema.spans
    query = sa.select(table).where(
        line.is_in(table), table.c.end_position.is_(None), table.c.status == FindingStatus.OPEN.value
    )
    day, ages = now.date(), dict[str, list[float]]()
    for row in _read(line, query):
        hidden = suppressions and suppressed_by(finding_of(row._mapping), suppressions, day)
        opened = times.opening(row.life, row.opened_position)
        if not hidden and opened is not None:
            ages.setdefault(row.severity, []).append(max(0.0, (now - opened).total_seconds() / 86400))
    return ages


def _fixes(line: StoredLine, times: _Times, since: datetime | None) -> dict[str, list[float]]:
    table = schema.spans
    columns = (table.c.severity, table.c.life, table.c.opened_position, table.c.end_position)
    by_code = (table.c.ended_as == "fixed") & (table.c.end_cause == CODE)
    query = sa.select(*columns).where(line.is_in(table), by_code, table.c.status == FindingStatus.OPEN.value)
    fixes: dict[str, list[float]] = {}
    for severity, life, opened, ended in zip(*columns_of(line.history, query), strict=True):
        start, end = times.opening(life, opened), times.commits.get(ended)
        if start is not None and end is not None and (since is None or end >= since):
            # Committers' clocks differ: a fix may appear older than the finding that it fixes.
            fixes.setdefault(severity, []).append(max(0.0, (end - start).total_seconds() / 86400))
    return fixes


def _read(line: StoredLine, query: sa.Select) -> Sequence[sa.Row]:
    with line.history.reading() as connection:
        return connection.execute(query).all()
