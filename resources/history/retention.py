"""Prune the details of old commits: listed findings, test cases, output. Data derived from them stays.

Kept: commits and parents, scans and test runs with their counts, images, stages, deployments, lifecycles of findings.
Deliberately absent: which commits are old (infraaudit_domain/retention.py), and files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.forge.change_requests import RequestState
from infraaudit_domain.pushes import PushState
from infraaudit_domain.retention import PRUNED, Aging
from infraaudit_domain.scans.evidence import EVERY_FILE
from infraaudit_domain.scans.findings import ScanStatus
from resources.history import schema
from resources.history.database import upsert
from resources.history.deployments import deployed_before
from resources.history.rows import DEPLOYMENT_COLUMNS, deployment_of
from resources.history.store import History

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Pruned:
    """Numbers of rows that were deleted."""

    findings: int = 0
    test_cases: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(self.findings + other.findings, self.test_cases + other.test_cases)


def aging_commits(history: History, project: str) -> list[Aging]:
    table = schema.commits
    query = sa.select(table.c.sha, table.c.committed_at, table.c.recorded_at).where(table.c.project == project)
    with history.reading() as connection:
        return [Aging(*row) for row in connection.execute(query)]


def in_use(history: History, project: str) -> set[str]:
    """Commits that are live in an environment, the commit that each replaced, and those to which a rollback returns."""
    table = schema.deployments
    healthy = (table.c.project == project) & (table.c.outcome == Outcome.DEPLOYED.value)
    newest = sa.select(sa.func.max(table.c.id)).where(healthy).group_by(table.c.environment)
    used: set[str] = set()
    for row in history.rows(sa.select(*DEPLOYMENT_COLUMNS).where(table.c.id.in_(newest))):
        live = deployment_of(row)
        used |= {live.sha, *filter(None, [live.replaced_sha]), *_ways_back(history, live)}
    return used


def _ways_back(history: History, live: Deployment) -> Iterator[str]:
    """What a rollback returns to; what it returns to where that one is rejected; and what the rollback after it does."""
    if back := deployed_before(history, live):
        nexts = (deployed_before(history, live, besides=[back.sha]), deployed_before(history, back))
        yield from (one.sha for one in (back, *nexts) if one)


def prune(history: History, project: str, shas: Sequence[str]) -> Pruned:
    """Prune the details of commits; a stored scan that a kept commit references is kept.

    A pruned framework scan is stored as partial, with the reason: it closes no finding, is not reused, and a gate that
    needs it stays closed. Scanning the commit again restores it.
    """
    going = {(project, sha) for sha in shas}
    done = Pruned()
    with history.reading() as connection:
        keys = _keys_of(connection, going)
    for some in _batches(keys):
        with history.writing() as connection:
            done += Pruned(findings=_prune_scans(connection, some))
    for some in _batches(shas):
        with history.writing() as connection:
            done += Pruned(test_cases=_prune_tests(connection, project, some))
    return done


def prune_messages(history: History, project: str, before: datetime) -> int:
    """Delete a project's processed pushes, sent notices and statuses, requests that are open no more, and events of
    branches from before a time; returns the number.

    What was counted stays counted, and what waits stays, however old.
    """
    pushes, notices, events, statuses = schema.deliveries, schema.notices, schema.git_events, schema.commit_statuses
    done = (pushes.c.project == project) & (pushes.c.done_at < before) & (pushes.c.state != PushState.WAITING.value)
    sent = (notices.c.project == project) & (notices.c.sent_at < before)
    shown = (statuses.c.project == project) & statuses.c.due_at.is_(None) & (statuses.c.changed_at < before)
    requests = schema.change_requests
    over = (requests.c.project == project) & (requests.c.state != RequestState.OPEN.value)
    over &= requests.c.changed_at < before
    with history.writing() as connection:
        states = sa.select(pushes.c.state, sa.func.count()).where(done).group_by(pushes.c.state)
        counts = {("push", row[0]): row[1] for row in connection.execute(states)}
        if number := connection.execute(sa.select(sa.func.count()).select_from(notices).where(sent)).scalar():
            counts["notice", ""] = number
        for (kind, state), number in counts.items():
            _count_pruned(connection, kind, project, state, number)
        gone = connection.execute(pushes.delete().where(done)).rowcount
        unheard = (notices.c.project == project) & (notices.c.undelivered_at < before)
        gone += connection.execute(notices.delete().where(sent | unheard)).rowcount
        gone += connection.execute(statuses.delete().where(shown)).rowcount
        comments, closed = schema.request_comments, sa.select(requests.c.number).where(over)
        connection.execute(comments.delete().where(comments.c.project == project, comments.c.number.in_(closed)))
        gone += connection.execute(requests.delete().where(over)).rowcount
        gone += connection.execute(
            events.delete().where(events.c.project == project, events.c.seen_at < before)
        ).rowcount
    return gone


def pruned_messages(history: History, kind: str) -> dict[tuple[str, str], int]:
    """How many messages of a kind (push, notice) were ever pruned, by project and state."""
    table = schema.pruned_messages
    rows = history.rows(sa.select(table).where(table.c.kind == kind))
    return {(row["project"], row["state"]): row["number"] for row in rows}


def _count_pruned(connection: sa.Connection, kind: str, project: str, state: str, number: int) -> None:
    table = schema.pruned_messages
    key = {"kind": kind, "project": project, "state": state}
    known = sa.select(table.c.number).where(*(table.c[name] == value for name, value in key.items()))
    upsert(connection, table, [key | {"number": number + (connection.execute(known).scalar() or 0)}])


def _keys_of(connection: sa.Connection, going: set[tuple[str, str]]) -> list[str]:
    """The scan keys that only these commits have and that are not yet pruned."""
    parts, stored = schema.scan_parts, schema.framework_scans
    query = sa.select(parts.c.project, parts.c.sha, parts.c.scan_key).join(stored).where(stored.c.reason != PRUNED)
    leaving: set[str] = set()
    staying: set[str] = set()
    for project, sha, key in connection.execute(query):
        (leaving if (project, sha) in going else staying).add(key)
    return sorted(leaving - staying)


def _prune_scans(connection: sa.Connection, keys: Sequence[str]) -> int:
    stored, findings = schema.framework_scans, schema.findings
    gone = connection.execute(findings.delete().where(findings.c.scan_key.in_(keys))).rowcount
    unread = [{"path": EVERY_FILE, "reason": PRUNED}]
    change = {"status": ScanStatus.PARTIAL.value, "reason": PRUNED, "unreadable": unread, "evidence": None}
    connection.execute(stored.update().where(stored.c.scan_key.in_(keys)).values(change))
    return gone


def _prune_tests(connection: sa.Connection, project: str, shas: Sequence[str]) -> int:
    cases, runs = schema.test_cases, schema.test_runs
    gone = connection.execute(cases.delete().where(cases.c.project == project, cases.c.sha.in_(shas))).rowcount
    of_project = (runs.c.project == project) & runs.c.sha.in_(shas)
    connection.execute(runs.update().where(of_project).values(output_tail=""))
    return gone


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
