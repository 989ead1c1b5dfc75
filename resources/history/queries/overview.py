"""What the pipeline did with each commit, in one row."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from infraaudit_assets.domain.changes import FindingChanges
from infraaudit_assets.domain.deployments import Deployment
from infraaudit_assets.domain.findings import Scan
from infraaudit_assets.domain.images import Image
from infraaudit_assets.domain.test_runs import TestRun
from resources.git import Mirror
from resources.history import schema
from resources.history.database import translated
from resources.history.lineage import changes_of
from resources.history.store import History


@dataclass(frozen=True, slots=True)
class CommitOverview:
    """One commit; None is what has not been done (yet, or because a gate stopped it)."""

    sha: str
    subject: str
    image: Image | None
    tests: TestRun | None
    scan: Scan | None
    changes: FindingChanges | None
    deployment: Deployment | None
    reasons: dict[str, str]
    """Why a stage failed or was skipped, by stage."""


def overview(
    history: History, mirror: Mirror, project: str, environment: str, shas: Sequence[str]
) -> list[CommitOverview]:
    """The overview of commits, in the order given."""
    return [_of(history, mirror, project, environment, sha) for sha in shas]


def _of(history: History, mirror: Mirror, project: str, environment: str, sha: str) -> CommitOverview:
    scan = history.scan(project, sha)
    return CommitOverview(
        sha=sha,
        subject=mirror.commit(sha).subject,
        image=history.image(project, sha),
        tests=history.test_run(project, sha),
        scan=scan,
        changes=changes_of(history, mirror, project, scan)[1] if scan else None,
        deployment=history.last_deployment(project, environment, sha),
        reasons=_reasons(history, project, sha),
    )


def _reasons(history: History, project: str, sha: str) -> dict[str, str]:
    table = schema.stages
    query = (
        sa.select(table.c.stage, table.c.reason)
        .where(table.c.project == project, table.c.sha == sha, table.c.reason != "")
        .order_by(table.c.finished_at)
    )
    with translated(history.engine), history.engine.connect().execution_options(read_only=True) as connection:
        return {stage: reason for stage, reason in connection.execute(query)}
