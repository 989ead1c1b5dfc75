"""What the pipeline did with each commit, in one row."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from infraaudit.scans.against_parent import changes_of
from infraaudit_domain.delivery.deployments import Deployment
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.delivery.test_runs import TestRun
from infraaudit_domain.lifecycles.changes import FindingChanges
from infraaudit_domain.scans.findings import Scan
from resources.git.mirror import Mirror
from resources.history.queries.further_images import further_images
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
    further_images: dict[str, Image] = field(default_factory=dict)
    """By name, of a project that has several images."""


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
        further_images=further_images(history, project, sha),
        tests=history.test_run(project, sha),
        scan=scan,
        changes=changes_of(history, mirror, project, scan)[1] if scan else None,
        deployment=history.last_deployment(project, environment, sha),
        reasons=history.reasons(project, sha),
    )
