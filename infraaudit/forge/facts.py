"""Find the commits about which something new is known, and want the statuses that this supports.

Read from the history, so that no process which records a fact has to know of forges, and none can lose one. Deliberately
absent: what a status says (infraaudit_domain/forge/statuses.py), and sending it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from infraaudit_domain.dagster_names import deployment_name
from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.errors import HistoryError, InfraAuditError
from infraaudit_domain.forge.statuses import CommitFacts, EnvironmentFacts, statuses_of
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.projects import Project
from resources.history import History, schema
from resources.history.forge.statuses import drop_oldest, drop_stale, end_overdue, pending_since, want_statuses

LOOK_BACK = timedelta(days=1)
"""How long all services may be down without missing a fact of a commit that is new to its forge."""
_STALE = timedelta(days=7)
"""The same for what a forge shows as pending; and what a forge did not take in this time, nobody looks for there."""
_SETTLING = timedelta(seconds=60)
"""Clocks of two machines may differ, and a transaction be recorded after its time."""
_OVERDUE, _OVERDUE_EVERY = timedelta(days=1), timedelta(minutes=10)
"""Of a run that was cancelled, or lost, nobody says that it has ended."""
_AT_ONCE = 20
"""Judging a commit takes a tenth of a second or more, and what was pushed just now is not to wait for many."""
_LOG = logging.getLogger("infraaudit.forge")
Judge = Callable[[Project, str], Verdict]
"""The gate's verdict on a commit's scan. Raises InfraAuditError."""


class FactWatch:
    """Looks for new facts of the commits of some projects; an unchanged commit is looked at once."""

    def __init__(self, history: History, projects: Mapping[str, Project], judge: Judge) -> None:
        self._history, self._projects, self._judge = history, projects, judge
        self._since: datetime | None = None
        self._next_overdue = datetime.min.replace(tzinfo=UTC)
        self._seen: dict[tuple[str, str], frozenset[object]] = {}

    def look(self, now: datetime) -> int:
        """Want the statuses of commits with new facts, the newest first and some at a time; returns how many are left.

        A defect that one commit meets is logged, and stops no other.
        """
        if not self._projects:
            return 0
        found = self._facts_since(self._since or self._first(now))
        # Rows that have left the window are no news.
        new = [key for key, rows in found.items() if not rows <= self._seen.get(key, frozenset())]
        for project, sha in new[:_AT_ONCE]:
            try:
                facts = facts_of(self._history, self._projects[project], sha, self._judge)
                want_statuses(self._history, project, sha, statuses_of(project, facts))
            except HistoryError:
                raise
            except Exception:
                _LOG.exception("The statuses of %s in %s could not be decided", sha[:12], project)
            self._seen[project, sha] = found[project, sha]
        for project in {project for project, _ in new}:
            drop_oldest(self._history, project)
        if len(new) <= _AT_ONCE:
            self._seen, self._since = found, now - _SETTLING
            self._end_what_is_old(now)
        return max(0, len(new) - _AT_ONCE)

    def _end_what_is_old(self, now: datetime) -> None:
        """Only once every fact is read: what is pending may have its outcome since the service stopped."""
        if now >= self._next_overdue:
            self._next_overdue = now + _OVERDUE_EVERY
            end_overdue(self._history, self._projects, now - _OVERDUE)
            drop_stale(self._history, self._projects, now - _STALE)

    def _first(self, now: datetime) -> datetime:
        pending = pending_since(self._history, self._projects)
        return min(now - LOOK_BACK, max(pending or now, now - _STALE))

    def _facts_since(self, since: datetime) -> dict[tuple[str, str], frozenset[object]]:
        """What tells a commit with new facts from one without, by project and commit."""
        stages, deployments = schema.stages, schema.deployments
        found: dict[tuple[str, str], set[object]] = {}
        for table, what in ((stages, (stages.c.stage, stages.c.run_id)), (deployments, (deployments.c.id,))):
            query = sa.select(table.c.project, table.c.sha, table.c.outcome, table.c.finished_at, *what).where(
                table.c.finished_at >= since, table.c.project.in_(self._projects)
            )
            for row in self._history.rows(query.order_by(table.c.finished_at.desc())):
                found.setdefault((row["project"], row["sha"]), set()).add(tuple(row.values()))
        return {key: frozenset(rows) for key, rows in found.items()}


def facts_of(history: History, project: Project, sha: str, judge: Judge) -> CommitFacts:
    """What the history holds of a commit, the gate's verdict on it as of now."""
    stages = _stages(history, project.name, sha)
    scanned = stages.get("scan_report") is StageOutcome.SUCCEEDED
    scan = history.scan(project.name, sha) if scanned else None
    return CommitFacts(
        stages=stages,
        tests=history.test_run(project.name, sha) if "test_results" in stages else None,
        verdict=_verdict(project, sha, judge) if scan else None,
        open_findings=sum(finding.is_open for finding in scan.findings) if scan else 0,
        environments=tuple(_environments(history, project, sha, stages)),
    )


def _stages(history: History, project: str, sha: str) -> dict[str, StageOutcome]:
    """The newest outcome of each stage."""
    table = schema.stages
    query = sa.select(table.c.stage, table.c.outcome).where(table.c.project == project, table.c.sha == sha)
    rows = history.rows(query.order_by(table.c.finished_at))
    return {row["stage"]: StageOutcome(row["outcome"]) for row in rows}


def _verdict(project: Project, sha: str, judge: Judge) -> Verdict | None:
    """None where it cannot be judged, which the status then says. Raises HistoryError where that may pass."""
    try:
        return judge(project, sha)
    except HistoryError as error:
        if error.retryable:
            raise
        return None
    except InfraAuditError:
        return None


def _environments(
    history: History, project: Project, sha: str, stages: Mapping[str, StageOutcome]
) -> Iterator[EnvironmentFacts]:
    for environment in project.environments:
        last = history.last_deployment(project.name, environment.name, sha)
        if last is not None:
            failed = stages.get(deployment_name(project, environment)) is StageOutcome.FAILED
            yield EnvironmentFacts(environment.name, last.outcome, failed and last.outcome is Outcome.SKIPPED)
