"""Test results that answer for equal inputs. Deliberately absent: what equal inputs are (infraaudit/tested.py)."""

import sqlalchemy as sa

from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import TestRun
from resources.history import History, schema

_STAGE = "test_results"


def always_passed(history: History, project: str, inputs_digest: str) -> tuple[str, TestRun] | None:
    """The newest commit whose tests passed with these inputs, and its result; None where one failed with them, too.

    A test that failed once and passed once is flaky. Its failure counts also where a second run of the same commit
    replaced the result: its stage remains. A result whose cases were pruned answers for no new commit, which would have
    no list of its cases.
    """
    runs, stages, commits = schema.test_runs, schema.stages, schema.commits
    with_inputs = (runs.c.project == project) & (runs.c.inputs_digest == inputs_digest) & runs.c.reused_from.is_(None)
    passed = (runs.c.passed > 0) & (runs.c.failed == 0) & (runs.c.errors == 0) & (runs.c.reason == "")
    failed_once = (
        sa.exists()
        .where(stages.c.project == project, stages.c.sha == runs.c.sha, stages.c.stage == _STAGE)
        .where(stages.c.outcome == StageOutcome.FAILED.value)
    )
    of_commit = (commits.c.project == runs.c.project) & (commits.c.sha == runs.c.sha)
    query = (
        sa.select(runs.c.sha, sa.and_(passed, ~failed_once).label("good"))
        .join_from(runs, commits, of_commit)
        .where(with_inputs)
        .order_by(commits.c.committed_at.desc())
    )
    found = history.rows(query)
    if not found or not all(row["good"] for row in found):
        return None
    sha = str(found[0]["sha"])
    result = history.test_run(project, sha)
    return (sha, result) if result is not None and result.succeeded and result.pruned is None else None
