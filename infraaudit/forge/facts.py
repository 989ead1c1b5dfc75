"""Find the commits about which something new is known, and want the statuses that this supports.

Read from the history, so that no process which records a fact has to know of forges, and none can lose one. Deliberately
absent: what a status says (infraaudit_domain/forge/statuses.py), and sending it.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from infraaudit_domain.dagster_names import deployment_name
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.errors import HistoryError, InfraAuditError
from infraaudit_domain.forge.statuses import SCAN, CommitFacts, EnvironmentFacts, StatusState, context_of, statuses_of
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.projects import Project
from resources.history import History, schema
from resources.history.forge.expected import end_overdue, pending_since
from resources.history.forge.statuses import drop_oldest, drop_stale, status_row, want_statuses

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
_OF_ONE_PROJECT = 5
"""Of these, so that no project waits for all commits of another."""
_LOG = logging.getLogger("infraaudit.forge")
Judge = Callable[[Project, str], Verdict]
"""The gate's verdict on a commit's scan. Raises InfraAuditError."""
_Key = tuple[str, str]
"""Project and commit."""
_Rows = frozenset[tuple[object, ...]]
_WHAT = 4
"""Where in such a row it says what happened: what is before it, every row has."""


class FactWatch:
    """Looks for new facts of the commits of some projects; an unchanged commit is looked at once."""

    def __init__(self, history: History, projects: Mapping[str, Project], judge: Judge) -> None:
        self._history, self._projects, self._judge = history, projects, judge
        self._since: datetime | None = None
        self._next_overdue = datetime.min.replace(tzinfo=UTC)
        self._seen: dict[_Key, _Rows] = {}
        self._put_off: set[_Key] = set()

    def look(self, now: datetime) -> int:
        """Want the statuses of commits with new facts, the newest first and some at a time; returns how many are left.

        A defect that one commit meets is logged, and stops no other. Raises HistoryError where a commit is to be looked
        at again, after the others.
        """
        if not self._projects:
            return 0
        if self._since is None:
            self._since = self._first(now)
        found = self._facts_since(self._since)
        # Rows that have left the window are no news.
        new = [key for key, rows in found.items() if not rows <= self._seen.get(key, frozenset())]
        chosen = _fairly(sorted(new, key=self._put_off.__contains__))
        errors = {key: error for key in chosen if (error := self._show(key, found[key]))}
        for project in {project for project, _ in new}:
            drop_oldest(self._history, project)
        self._put_off = set(errors)
        if errors:
            raise next(iter(errors.values()))
        if len(new) == len(chosen):
            self._seen, self._since = found, now - _SETTLING
            self._end_what_is_old(now)
        return len(new) - len(chosen)

    def _show(self, key: _Key, rows: _Rows) -> HistoryError | None:
        """Want the statuses of a commit; returns the error after which it is to be looked at again."""
        project, sha = key
        is_new = any("scan_report" in row[_WHAT:] for row in rows - self._seen.get(key, frozenset()))
        try:
            facts = facts_of(self._history, self._projects[project], sha, self._judge, is_new)
            want_statuses(self._history, project, sha, statuses_of(self._projects[project], facts))
        except HistoryError as error:
            return error
        except Exception:
            _LOG.exception("The statuses of %s in %s could not be decided", sha[:12], project)
        self._seen[key] = rows
        return None

    def _end_what_is_old(self, now: datetime) -> None:
        """Only once every fact is read: what is pending may have its outcome since the service stopped."""
        if now >= self._next_overdue:
            self._next_overdue = now + _OVERDUE_EVERY
            end_overdue(self._history, self._projects, now - _OVERDUE)
            drop_stale(self._history, self._projects, now - _STALE)

    def _first(self, now: datetime) -> datetime:
        pending = pending_since(self._history, self._projects)
        return min(now - LOOK_BACK, max(pending or now, now - _STALE))

    def _facts_since(self, since: datetime) -> dict[_Key, _Rows]:
        """What tells a commit with new facts from one without, by project and commit."""
        stages, deployments = schema.stages, schema.deployments
        found: dict[_Key, set[tuple[object, ...]]] = {}
        for table, what in ((stages, (stages.c.stage, stages.c.run_id)), (deployments, (deployments.c.id,))):
            query = sa.select(table.c.project, table.c.sha, table.c.outcome, table.c.finished_at, *what).where(
                table.c.finished_at >= since, table.c.project.in_(self._projects)
            )
            for row in self._history.rows(query.order_by(table.c.finished_at.desc())):
                found.setdefault((row["project"], row["sha"]), set()).add(tuple(row.values()))
        return {key: frozenset(rows) for key, rows in found.items()}


def _fairly(keys: Iterable[_Key]) -> list[_Key]:
    """The first of these, some of each project."""
    chosen: list[_Key] = []
    of_project: Counter[str] = Counter()
    for project, sha in keys:
        if of_project[project] < _OF_ONE_PROJECT and len(chosen) < _AT_ONCE:
            of_project[project] += 1
            chosen.append((project, sha))
    return chosen


def facts_of(history: History, project: Project, sha: str, judge: Judge, is_new: bool) -> CommitFacts:
    """What the history holds of a commit; the gate's verdict as of now, unless the one that is shown stands.

    ``is_new``: whether its scan was not looked at before.
    """
    stages = _stages(history, project.name, sha)
    outcomes = {name: stage.outcome for name, stage in stages.items()}
    scanned = outcomes.get("scan_report") is StageOutcome.SUCCEEDED
    stands = scanned and _stands(history, project.name, sha, stages["scan_report"].finished_at if is_new else None)
    scan = history.scan(project.name, sha) if scanned and not stands else None
    return CommitFacts(
        stages=outcomes,
        tests=history.test_run(project.name, sha) if "test_results" in stages else None,
        verdict=_verdict(project, sha, judge) if scan else None,
        is_judged=stands,
        open_findings=sum(finding.is_open for finding in scan.findings) if scan else 0,
        environments=tuple(_environments(history, project, sha, stages)),
    )


def stage_outcomes(history: History, project: str, sha: str) -> dict[str, StageOutcome]:
    """The newest outcome of each stage of a commit."""
    return {name: stage.outcome for name, stage in _stages(history, project, sha).items()}


def _stands(history: History, project: str, sha: str, scanned_at: datetime | None) -> bool:
    """Whether the gate's verdict on this scan is shown: it is of when the commit was scanned, whatever came after."""
    shown = status_row(history, project, sha, context_of(project, SCAN))
    if shown is None or shown["state"] in (StatusState.PENDING, StatusState.ERROR):
        return False
    return scanned_at is None or bool(shown["changed_at"] >= scanned_at)


@dataclass(frozen=True, slots=True)
class _Stage:
    outcome: StageOutcome
    finished_at: datetime


def _stages(history: History, project: str, sha: str) -> dict[str, _Stage]:
    """The newest of each stage."""
    table = schema.stages
    query = sa.select(table.c.stage, table.c.outcome, table.c.finished_at).where(
        table.c.project == project, table.c.sha == sha
    )
    rows = history.rows(query.order_by(table.c.finished_at))
    return {row["stage"]: _Stage(StageOutcome(row["outcome"]), row["finished_at"]) for row in rows}


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
    history: History, project: Project, sha: str, stages: Mapping[str, _Stage]
) -> Iterator[EnvironmentFacts]:
    for environment in project.environments:
        last = history.last_deployment(project.name, environment.name, sha)
        if last is not None:
            stage = stages.get(deployment_name(project, environment))
            # A stage of before says nothing of an attempt that is under way.
            failed = stage and stage.outcome is StageOutcome.FAILED and stage.finished_at >= last.finished_at
            yield EnvironmentFacts(environment.name, last.outcome, bool(failed))
