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

from infraaudit_domain.judging.ages import Age, age_of
from infraaudit_domain.judging.suppressions import Suppression, suppressed_by
from infraaudit_domain.lifecycles.causes import CODE
from infraaudit_domain.reporting.columns import SLA_COLUMNS
from infraaudit_domain.scans.findings import FindingStatus, Severity
from resources.history import schema
from resources.history.queries.frames import columns_of, frame
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

    ``breached`` counts open findings older than their limit, ``perhaps_breached`` those that may be; ``fixed_late``
    those that were when they were fixed. All three are None where a severity has no limit. ``age_at_least`` is of how
    many open findings the age is a lower bound; ``fix_time_unknown`` how many fixes are left out of the times to fix,
    because the commit that opened or fixed the finding is not known. ``since`` leaves out fixes before it.
    """
    times = _Times(_commit_times(line), line.shas, arrivals_of_rules(line))
    ages = _ages(line, times, now, suppressions)
    fixes = _fixes(line, times, since)
    return [_row(severity, limits.get(severity), ages, fixes) for severity in Severity]


@dataclass(frozen=True, slots=True)
class _Times:
    """When commits were made, by SHA, and when rules arrived that opened findings."""

    commits: Mapping[str, datetime]
    path: Sequence[str]
    rules: Mapping[tuple[str, int], datetime]

    def age(self, span: Any, now: datetime) -> Age | None:
        """The age at some time of the finding that a span is about."""
        if (arrived := self.rules.get((span.life, span.opened_position))) is not None:
            days = (now - arrived).total_seconds() / 86400
            return Age(days, days)
        opened = self.at(span.opened_position, span.opened_sha)
        lacking = self.at(span.opened_after) if (span.opened_after or 0) >= 0 else None
        return None if opened is None else age_of(opened, span.opened_sha is not None, lacking, now)

    def at(self, position: int | None, sha: str | None = None) -> datetime | None:
        """When a commit was made; None where that is not recorded."""
        return None if position is None else self.commits.get(sha or self.path[position])


def _commit_times(line: StoredLine) -> dict[str, datetime]:
    table = schema.commits.c
    query = sa.select(table.sha, table.committed_at).where(table.project == line.project)
    return dict(zip(*columns_of(line.history, query), strict=True))


def _row(
    severity: Severity,
    limit: float | None,
    ages: Mapping[str, Sequence[Age]],
    fixes: Mapping[str, Sequence[float | None]],
) -> dict[str, Any]:
    found, ended = ages.get(severity.value, ()), fixes.get(severity.value, ())
    old, fixed = [age.at_least for age in found], [days for days in ended if days is not None]
    within = [sum(age <= bound for age in old) for bound in _BOUNDS]
    return {
        "severity": severity.value,
        "sla_days": limit,
        "open": len(old),
        "breached": None if limit is None else sum(age > limit for age in old),
        "perhaps_breached": None if limit is None else sum(_may_be_older(age, limit) for age in found),
        "age_at_least": sum(age.at_least != age.at_most for age in found),
        "oldest_days": round(max(old), 1) if old else None,
        "median_days": round(median(old), 1) if old else None,
        "up_to_7_days": within[0],
        "up_to_30_days": within[1] - within[0],
        "up_to_90_days": within[2] - within[1],
        "over_90_days": len(old) - within[2],
        "fixed": len(ended),
        "fix_time_unknown": len(ended) - len(fixed),
        "mean_days_to_fix": round(fmean(fixed), 1) if fixed else None,
        "median_days_to_fix": round(median(fixed), 1) if fixed else None,
        "fixed_late": None if limit is None else sum(days > limit for days in fixed),
    }


def _may_be_older(age: Age, limit: float) -> bool:
    return age.at_least <= limit and (age.at_most is None or age.at_most > limit)


def _ages(line: StoredLine, times: _Times, now: datetime, suppressions: Sequence[Suppression]) -> dict[str, list[Age]]:
    table = schema.spans
    query = sa.select(table).where(
        line.is_in(table), table.c.end_position.is_(None), table.c.status == FindingStatus.OPEN.value
    )
    day, ages = now.date(), dict[str, list[Age]]()
    for row in _read(line, query):
        hidden = suppressions and suppressed_by(finding_of(row._mapping), suppressions, day)
        if not hidden and (age := times.age(row, now)) is not None:
            # Committers' clocks differ: one may be ahead of ours.
            at_most = None if age.at_most is None else max(0.0, age.at_most)
            ages.setdefault(row.severity, []).append(Age(max(0.0, age.at_least), at_most))
    return ages


def _fixes(line: StoredLine, times: _Times, since: datetime | None) -> dict[str, list[float | None]]:
    """By severity the days that each fix took; None where that is not known."""
    table = schema.spans.c
    names = ("severity", "life", "opened_position", "opened_sha", "end_position", "end_sha")
    by_code = (table.ended_as == "fixed") & (table.end_cause == CODE) & (table.status == FindingStatus.OPEN.value)
    query = sa.select(*(table[name] for name in names)).where(line.is_in(schema.spans), by_code)
    fixes: dict[str, list[float | None]] = {}
    for severity, life, opened, opener, ended, fixer in zip(*columns_of(line.history, query), strict=True):
        end = times.at(ended, fixer)
        if end is None or (since is not None and end < since):
            continue
        start = times.rules.get((life, opened)) or (times.commits.get(opener) if opener else None)
        # Committers' clocks differ: a fix may appear older than the finding that it fixes.
        days = max(0.0, (end - start).total_seconds() / 86400) if start and fixer else None
        fixes.setdefault(severity, []).append(days)
    return fixes


def _read(line: StoredLine, query: sa.Select) -> Sequence[sa.Row]:
    with line.history.reading() as connection:
        return connection.execute(query).all()
