"""On PostgreSQL the past gives the same answers as on SQLite."""

from collections.abc import Callable
from pathlib import Path

import pytest

from infraaudit.questions.answers import answer
from infraaudit.questions.asked import Asked, ProjectRules
from infraaudit.questions.table import asked_as
from infraaudit_domain.delivery.deployments import Outcome
from resources.history.stored_line import stored_line
from resources.history.transfer import copy_history
from tests.infraaudit.questions.replay.random_pasts import WHOLE, Attempt, Made, Past, at, recorded
from tests.resources.databases import unmigrated_history

PAST = Past(
    (
        Made(WHOLE, ("open", "suppressed", "open", "absent", "open")),
        Made("one.tf", ("open",) * 5),
        Made(WHOLE, ("absent", "open", "open", "suppressed", "open")),
    ),
    tuple(Attempt(commit, Outcome.DEPLOYED, hour, hour + 1) for commit, hour in ((0, 80), (1, 90), (2, 99))),
)
GATE = (
    "{open: {high: 0}, new: {critical: 0}, max_age_days: {low: 1}, new_in_environment: {high: 0},"
    " required_frameworks: [terraform]}"
)
ASKED = {
    "at": {"when": at(95).isoformat()},
    "at_findings": {"when": at(95).isoformat()},
    "at_gaps": {"when": at(95).isoformat()},
    "gate_replay": {"gate": GATE, "verdict": "any"},
    "exposed": {"check": "CKV_b"},
    "exposed_commits": {"check": "CKV_b"},
    "least_exposure": {},
}


@pytest.mark.slow
def test_every_answer_is_the_same(tmp_path: Path, needs: Callable[[str], None], request: pytest.FixtureRequest) -> None:
    with recorded(PAST) as line:
        for history in unmigrated_history("postgresql", tmp_path, needs, request):
            history.migrate()
            copy_history(line.history, history, lambda *_: None)
            other = stored_line(history, "p")
            for name, given in ASKED.items():
                one, same = (
                    list(answer(asked_as(name), Asked(each, ProjectRules(mirror=line.mirror), at(200), given))[0])
                    for each in (line, other)
                )
                assert one and one == same, name
