"""What forges are shown of a commit before its stages say anything, and in place of what they never said.

Deliberately absent: what the stages say (infraaudit_domain/forge/statuses.py).
"""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from infraaudit_domain.forge.statuses import (
    EXPECTED,
    IMAGE,
    QUEUED,
    SCAN,
    TESTS,
    WAITS,
    CommitStatus,
    StatusState,
    context_of,
)
from resources.history import schema
from resources.history.forge.statuses import first_row, in_order, insert_into, statuses_of_commit, want_statuses
from resources.history.store import History

_AT_ONCE = 500
"""Commits that one query names: databases limit its parameters."""
_STAGES = {IMAGE: "docker_image", TESTS: "test_results", SCAN: "scan_report"}
_TABLE = schema.commit_statuses


def expect_statuses(history: History, project: str, shas: Collection[str], stages: Sequence[str] = EXPECTED) -> None:
    """Want what shows that these commits have a run: pending, where a commit has no status and has not run yet."""
    known = _known(history, project, shas)
    queued = [CommitStatus(context_of(project, one), StatusState.PENDING, QUEUED) for one in stages]
    rows = in_order(first_row(project, sha, one) for sha in shas if sha not in known for one in queued)
    if rows:
        with history.writing() as connection:
            # A run that was quick may have said more meanwhile.
            connection.execute(insert_into(history, _TABLE).on_conflict_do_nothing(), rows)


def end_expected(history: History, project: str, sha: str, words: str = "Not run: its run ended before") -> None:
    """Want an error where a commit's statuses still say that it is queued: its run has ended without them.

    Of a stage that did run, the status is on its way.
    """
    table = schema.stages
    query = sa.select(table.c.stage).where(table.c.project == project, table.c.sha == sha).distinct()
    ran = {row["stage"] for row in history.rows(query)}
    absent = {context_of(project, one) for one, stage in _STAGES.items() if stage not in ran}
    queued = [one for one in statuses_of_commit(history, project, sha) if one.context in absent and _is_pending(one)]
    want_statuses(history, project, sha, [CommitStatus(one.context, StatusState.ERROR, words) for one in queued])


def end_overdue(history: History, projects: Collection[str], before: datetime) -> None:
    """Want an error for what has been pending since before a time, and not for people: whatever became of the runs."""
    query = sa.select(_TABLE.c.project, _TABLE.c.sha, _TABLE.c.context).where(
        _TABLE.c.state == StatusState.PENDING.value,
        ~_TABLE.c.words.startswith(WAITS),
        _TABLE.c.changed_at < before,
        _TABLE.c.project.in_(projects),
    )
    for row in history.rows(query.limit(100)):
        ended = CommitStatus(row["context"], StatusState.ERROR, "Nothing came of it in time")
        want_statuses(history, row["project"], row["sha"], [ended])


def pending_since(history: History, projects: Collection[str]) -> datetime | None:
    """When the oldest status became so that is pending still, or that its forge was not sent."""
    is_open = (_TABLE.c.state == StatusState.PENDING.value) | _TABLE.c.due_at.is_not(None)
    query = sa.select(sa.func.min(_TABLE.c.changed_at)).where(is_open, _TABLE.c.project.in_(projects))
    with history.reading() as connection:
        return connection.execute(query).scalar()


def _known(history: History, project: str, shas: Collection[str]) -> set[str]:
    """Those of which something is shown, or which ran before there was a forge to show it."""
    known: set[str] = set()
    ordered = sorted(shas)
    for some in (ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE)):
        for table in (_TABLE, schema.stages):
            query = sa.select(table.c.sha).where(table.c.project == project, table.c.sha.in_(some)).distinct()
            known.update(row["sha"] for row in history.rows(query))
    return known


def _is_pending(status: CommitStatus) -> bool:
    return status.state is StatusState.PENDING and not status.words.startswith(WAITS)
