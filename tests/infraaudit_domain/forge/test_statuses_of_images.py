"""What the status of a commit says of several images: of those that the project has now."""

import pytest

from infraaudit_domain.dagster_names import image_name
from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.forge.statuses import CommitFacts, CommitStatus, StatusState, statuses_of
from infraaudit_domain.projects import Project

WORKER = ImageSource("worker", "b")
PROJECT = Project("p", "https://example.org/p.git", images=(ImageSource("web", "a"), WORKER))
REMOVED = image_name(PROJECT, WORKER).replace("worker", "removed")


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (StageOutcome.SUCCEEDED, StatusState.SUCCESS),
        (StageOutcome.FAILED, StatusState.FAILURE),
        (StageOutcome.SKIPPED, StatusState.ERROR),
        (StageOutcome.RETRIED, StatusState.PENDING),
        (None, None),
    ],
)
def test_a_commit_is_built_where_each_image_is_that_is_configured(
    outcome: StageOutcome | None, state: StatusState | None
) -> None:
    stages = {"docker_image": StageOutcome.SUCCEEDED, REMOVED: StageOutcome.FAILED}
    if outcome is not None:
        stages[image_name(PROJECT, WORKER)] = outcome
    said: list[CommitStatus] = statuses_of(PROJECT, CommitFacts(stages))
    assert [one.state for one in said if one.context == "infraaudit/p/image"] == ([state] if state else [])
