"""What the exporter reads at scrape time: the newest values, and totals that never go down.

Totals over stages are kept running between scrapes, because a history of 50,000 runs is too long to add up for each.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from infraaudit_assets.domain.metrics import STAGE_BUCKETS
from resources.history import schema
from resources.history.queries.places import rows_of
from resources.history.store import History

_Item = TypeVar("_Item")
_PAIRS_AT_ONCE = 200
_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class StageTotal:
    """Durations of one stage and outcome, as a histogram."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(STAGE_BUCKETS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        place = next((n for n, bound in enumerate(STAGE_BUCKETS) if seconds <= bound), len(STAGE_BUCKETS))
        self.buckets[place] += 1


class RunningTotals:
    """Totals over stages and finding changes; reads only what is new since the last reading."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._seen_until = _START
        self._seen_at_end: set[tuple[str, ...]] = set()
        self.stages: dict[tuple[str, str, str], StageTotal] = defaultdict(StageTotal)
        self._runs: dict[tuple[str, str], str] = {}
        self._changes: dict[tuple[str, str], tuple[int, int]] = {}
        self._scans_version: tuple[Any, ...] = ()
        self._finding_totals: dict[str, tuple[int, int]] = {}

    def read_stages(self) -> None:
        """Take in the stages that ended since the last reading."""
        table = schema.stages
        newer = sa.select(table).where(table.c.finished_at >= self._seen_until).order_by(table.c.finished_at)
        for row in rows_of(self._history, newer):
            key = (row["project"], row["sha"], row["stage"], row["run_id"])
            if row["finished_at"] > self._seen_until:
                self._seen_until, self._seen_at_end = row["finished_at"], set()
            elif key in self._seen_at_end:
                continue
            self._seen_at_end.add(key)
            seconds = (row["finished_at"] - row["started_at"]).total_seconds()
            self.stages[row["project"], row["stage"], row["outcome"]].add(max(0.0, seconds))
            run = (row["project"], row["run_id"])
            if self._runs.get(run) != "failed":
                self._runs[run] = "failed" if row["outcome"] == "failed" else "succeeded"

    def runs(self) -> Mapping[tuple[str, str], int]:
        """Runs by project and outcome."""
        counts: dict[tuple[str, str], int] = defaultdict(int)
        for (project, _), outcome in self._runs.items():
            counts[project, outcome] += 1
        return counts

    def finding_changes(self) -> Mapping[str, tuple[int, int]]:
        """Findings introduced and fixed, by project, over every commit whose first parent was scanned completely.

        A renamed file counts as both here; the commit's own record, which knows Git's renames, does not.
        """
        version = self._version_of_scans()
        if version != self._scans_version:
            self._finding_totals = self._add_up()
            self._scans_version = version
        return self._finding_totals

    def _version_of_scans(self) -> tuple[Any, ...]:
        table = schema.scans
        complete = sa.func.sum(sa.case((table.c.status == "complete", 1), else_=0))
        query = sa.select(
            sa.func.count().label("n"), complete.label("complete"), sa.func.max(table.c.started_at).label("at")
        )
        row = rows_of(self._history, query.select_from(table))[0]
        return (row["n"], row["complete"], row["at"])

    def _add_up(self) -> dict[str, tuple[int, int]]:
        changed = self._changed_parts()
        unknown = {(row["before"] or "", row["after"]) for row in changed} - self._changes.keys()
        for batch in batched(sorted(unknown), _PAIRS_AT_ONCE):
            self._changes |= self._differences(batch)
        totals: dict[str, tuple[int, int]] = {}
        for row in changed:
            introduced, fixed = self._changes[row["before"] or "", row["after"]]
            earlier = totals.get(row["project"], (0, 0))
            totals[row["project"]] = (earlier[0] + introduced * row["times"], earlier[1] + fixed * row["times"])
        return totals

    def _changed_parts(self) -> Sequence[sa.RowMapping]:
        new, old = schema.scan_parts.alias("new"), schema.scan_parts.alias("old")
        commits, scans, parents = schema.commits, schema.scans, schema.scans.alias("parents")
        same = (old.c.project == new.c.project) & (old.c.sha == commits.c.first_parent)
        changed = (
            sa.select(new.c.project, old.c.scan_key.label("before"), new.c.scan_key.label("after"), sa.func.count().label("times"))
            .join(commits, (commits.c.project == new.c.project) & (commits.c.sha == new.c.sha))
            .join(scans, (scans.c.project == new.c.project) & (scans.c.sha == new.c.sha) & (scans.c.status == "complete"))
            .join(
                parents,
                (parents.c.project == new.c.project)
                & (parents.c.sha == commits.c.first_parent)
                & (parents.c.status == "complete"),
            )
            .outerjoin(old, same & (old.c.framework == new.c.framework))
            .where(sa.or_(old.c.scan_key.is_(None), old.c.scan_key != new.c.scan_key))
            .group_by(new.c.project, old.c.scan_key, new.c.scan_key)
        )  # fmt: skip
        return rows_of(self._history, changed)

    def _differences(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, int]]:
        """How many open findings each pair of stored scans gained and lost."""
        table = schema.findings
        keys = {key for pair in pairs for key in pair}
        query = sa.select(table.c.scan_key, table.c.fingerprint).where(
            table.c.scan_key.in_(keys), table.c.status == "open"
        )
        found: dict[str, set[str]] = defaultdict(set)
        for row in rows_of(self._history, query):
            found[row["scan_key"]].add(row["fingerprint"])
        return {(old, new): (len(found[new] - found[old]), len(found[old] - found[new])) for old, new in pairs}


def batched(items: Sequence[_Item], size: int) -> Iterable[Sequence[_Item]]:
    """Items in runs of at most ``size`` (itertools has this from Python 3.12 on)."""
    return (items[start : start + size] for start in range(0, len(items), size))


def newest(history: History, table: sa.Table, project: str) -> sa.RowMapping | None:
    """The row of the project's newest commit that has one in a table keyed by commit."""
    commits = schema.commits
    query = (
        sa.select(table)
        .join(commits, (commits.c.project == table.c.project) & (commits.c.sha == table.c.sha))
        .where(commits.c.project == project)
        .order_by(commits.c.committed_at.desc(), commits.c.recorded_at.desc())
        .limit(1)
    )
    return next(iter(rows_of(history, query)), None)


def findings_of(history: History, project: str, sha: str) -> dict[tuple[str, str, str], int]:
    """Findings of a commit by framework, severity and status."""
    parts, findings = schema.scan_parts, schema.findings
    keys = (findings.c.framework, findings.c.severity, findings.c.status)
    query = (
        sa.select(*keys, sa.func.count().label("number"))
        .join(parts, parts.c.scan_key == findings.c.scan_key)
        .where(parts.c.project == project, parts.c.sha == sha)
        .group_by(*keys)
    )
    return {(r["framework"], r["severity"], r["status"]): r["number"] for r in rows_of(history, query)}


def counted(history: History, table: sa.Table, *names: str, **wanted: Any) -> dict[tuple[str, ...], int]:
    """How many rows a table has for each combination of columns."""
    keys = [table.c[name] for name in names]
    query = sa.select(*keys, sa.func.count().label("number")).group_by(*keys)
    for name, value in wanted.items():
        query = query.where(table.c[name] == value)
    return {tuple(row[name] for name in names): row["number"] for row in rows_of(history, query)}


def added_up(history: History, column: sa.Column, *names: str) -> dict[tuple[str, ...], int]:
    """The sum of a column for each combination of others of its table."""
    keys = [column.table.c[name] for name in names]
    rows = rows_of(history, sa.select(*keys, sa.func.sum(column).label("number")).group_by(*keys))
    return {tuple(row[name] for name in names): int(row["number"]) for row in rows}
