"""What the exporter reads at scrape time: the newest values, and totals that never go down.

Totals over stages are updated between scrapes, because adding up a history of 50,000 runs takes too long for each.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.reporting.metrics import STAGE_BUCKETS
from infraaudit_domain.scans.findings import FindingStatus
from resources.history import schema
from resources.history.queries.ranges import stands_unread
from resources.history.store import History

_SETTLED = timedelta(minutes=10)
"""A run counted as succeeded too early would have to be uncounted, and a counter must not fall."""
_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class StageTotal:
    """Durations of one stage and outcome, as a histogram."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(STAGE_BUCKETS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        index = next((n for n, bound in enumerate(STAGE_BUCKETS) if seconds <= bound), len(STAGE_BUCKETS))
        self.buckets[index] += 1


class RunningTotals:
    """Totals over stages and finding changes; reads only what is new since the last reading."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._seen_until = _START
        self._seen_at_end: set[tuple[str, ...]] = set()
        self.stages: dict[tuple[str, str, str], StageTotal] = defaultdict(StageTotal)
        self._going: dict[tuple[str, str], datetime] = {}
        self._over: dict[tuple[str, str], StageOutcome] = {}
        self._changes: dict[tuple[str, ...], int] = {}
        self._lives_version: tuple[int, int] | None = None

    def read_stages(self) -> None:
        """Add the stages that ended since the last reading."""
        table = schema.stages
        newer = sa.select(table).where(table.c.finished_at >= self._seen_until).order_by(table.c.finished_at)
        for row in self._history.rows(newer):
            key = (row["project"], row["sha"], row["stage"], row["run_id"])
            if row["finished_at"] > self._seen_until:
                self._seen_until, self._seen_at_end = row["finished_at"], set()
            elif key in self._seen_at_end:
                continue
            self._seen_at_end.add(key)
            seconds = (row["finished_at"] - row["started_at"]).total_seconds()
            self.stages[row["project"], row["stage"], row["outcome"]].add(max(0.0, seconds))
            run = (row["project"], row["run_id"])
            if run not in self._over and row["outcome"] == StageOutcome.FAILED:
                self._over[run] = StageOutcome.FAILED
                self._going.pop(run, None)
            elif run not in self._over:
                self._going[run] = row["finished_at"]

    def runs(self, now: datetime) -> Mapping[tuple[str, str], int]:
        """Runs by project and outcome; a run counts as succeeded once no stage of it has failed or ended for a
        while."""
        for run in [run for run, last in self._going.items() if now - last > _SETTLED]:
            self._over[run] = StageOutcome.SUCCEEDED
            del self._going[run]
        counts: dict[tuple[str, str], int] = defaultdict(int)
        for (project, _), outcome in self._over.items():
            counts[project, outcome] += 1
        return counts

    def finding_changes(self) -> Mapping[tuple[str, ...], int]:
        """Findings introduced, reopened and fixed along each project's deploy branch, by project and change.

        Never less than reported before, also where a force-push removed commits.
        """
        version = self._version_of_lives()
        if version != self._lives_version:
            for key, number in _changes_of_lives(self._history).items():
                self._changes[key] = max(number, self._changes.get(key, 0))
            self._lives_version = version
        return self._changes

    def _version_of_lives(self) -> tuple[int, int]:
        lines, scans = schema.line_commits, schema.scans
        followed = sa.select(sa.func.count()).select_from(lines).where(lines.c.followed).scalar_subquery()
        scanned = sa.select(sa.func.count()).select_from(scans).scalar_subquery()
        row = self._history.rows(sa.select(followed.label("followed"), scanned.label("scanned")))[0]
        return (row["followed"], row["scanned"])


def _changes_of_lives(history: History) -> dict[tuple[str, ...], int]:
    table, projects = schema.spans, schema.projects
    line = (projects.c.name == table.c.project) & (projects.c.deploy_branch == table.c.branch)
    found: dict[tuple[str, ...], int] = {}
    for column, changes in ((table.c.started_as, ("introduced", "reopened")), (table.c.ended_as, ("fixed",))):
        query = sa.select(table.c.project, column.label("change"), sa.func.count().label("number")).join(projects, line)
        counted_ones = query.where(table.c.status == FindingStatus.OPEN.value, column.in_(changes)).group_by(
            table.c.project, column
        )
        found |= {(row["project"], row["change"]): row["number"] for row in history.rows(counted_ones)}
    return found


def newest(history: History, table: sa.Table, project: str, *wanted: sa.ColumnElement[bool]) -> sa.RowMapping | None:
    """The row of the project's newest commit in a table keyed by commit, among those that are wanted."""
    commits = schema.commits
    query = (
        sa.select(table)
        .join(commits, (commits.c.project == table.c.project) & (commits.c.sha == table.c.sha))
        .where(commits.c.project == project, *wanted)
        .order_by(commits.c.committed_at.desc(), commits.c.recorded_at.desc())
        .limit(1)
    )
    return next(iter(history.rows(query)), None)


def findings_of(history: History, project: str, sha: str) -> Counter[tuple[str, str, str]]:
    """Findings of a commit by framework, severity and status, those among them that its scan did not read."""
    parts, findings = schema.scan_parts, schema.findings
    keys = (findings.c.framework, findings.c.severity, findings.c.status)
    query = (
        sa.select(*keys, sa.func.count().label("number"))
        .join(parts, parts.c.scan_key == findings.c.scan_key)
        .where(parts.c.project == project, parts.c.sha == sha)
        .group_by(*keys)
    )
    return _by_kind(history, query) + _by_kind(history, _unread(history, project, sha))


def _unread(history: History, project: str, sha: str) -> sa.Select:
    table, lines, projects = schema.spans, schema.line_commits, schema.projects
    keys = (table.c.framework, table.c.severity, table.c.status)
    deployed = (projects.c.name == table.c.project) & (projects.c.deploy_branch == table.c.branch)
    here = (lines.c.project == table.c.project) & (lines.c.branch == table.c.branch) & (lines.c.sha == sha)
    return (
        sa.select(*keys, sa.func.count().label("number"))
        .join(projects, deployed)
        .join(lines, here)
        .where(table.c.project == project, stands_unread(history, project, sha, table, lines.c.position))
        .group_by(*keys)
    )


def _by_kind(history: History, query: sa.Select) -> Counter[tuple[str, str, str]]:
    return Counter({(r["framework"], r["severity"], r["status"]): r["number"] for r in history.rows(query)})


def counted(history: History, table: sa.Table, *names: str, **wanted: Any) -> dict[tuple[str, ...], int]:
    """How many rows a table has for each combination of columns."""
    keys = [table.c[name] for name in names]
    query = sa.select(*keys, sa.func.count().label("number")).group_by(*keys)
    for name, value in wanted.items():
        query = query.where(table.c[name] == value)
    return {tuple(row[name] for name in names): row["number"] for row in history.rows(query)}


def added_up(history: History, column: sa.Column, *names: str) -> dict[tuple[str, ...], int]:
    """The sum of a column for each combination of other columns."""
    keys = [column.table.c[name] for name in names]
    rows = history.rows(sa.select(*keys, sa.func.sum(column).label("number")).group_by(*keys))
    return {tuple(row[name] for name in names): int(row["number"]) for row in rows}
