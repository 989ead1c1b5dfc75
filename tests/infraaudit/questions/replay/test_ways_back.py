"""Where to go back to: every candidate with what would return and leave, by lifecycle, and what became of it there."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit.questions.replay.ways_back import ways_back
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.delivery.advice import Candidate, advise
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.judging.suppressions import Suppression
from infraaudit_domain.scans.findings import Finding
from resources.history import History
from resources.history.retention import prune
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding, scan
from tests.resources.databases import fresh_history

NOW = datetime(2024, 1, 1, tzinfo=UTC)
BODY = "".join(f"line {number}\n" for number in range(20))


class Shop:
    """Commits with images and green tests on a real branch, whose findings and deployments a test states."""

    def __init__(self, history: History, repository: Repository) -> None:
        self.history, self.repository = history, repository
        self.shas = [repository.write({"main.tf": BODY, "n": str(number)}, "a commit") for number in range(4)]
        self.shas.append(repository.write({"main.tf": None, "new.tf": BODY}, "rename"))
        self.mirror = repository.mirror()
        for sha in self.shas:
            history.record_commit("p", self.mirror.commit(sha))
            history.record_image("p", sha, Image("i:1", "sha256:1", 1, 0.1, sha))
            history.record_test_run("p", sha, TestRun((TestCase("t", CaseOutcome.PASSED, 0.1),), 0.1))

    def scan(self, number: int, *found: Finding) -> None:
        self.history.record_scan("p", scan(self.shas[number], list(found)))

    def deploy(self, hour: int, number: int, outcome: Outcome = Outcome.DEPLOYED, environment: str = "prod") -> None:
        at = NOW + timedelta(hours=hour)
        self.history.record_deployment(Deployment("p", environment, self.shas[number], "t", outcome, at, at))

    def ways(self, *suppressions: Suppression) -> dict[int, Candidate]:
        """Candidates by the number of their commit, in the order given; ten hours after NOW."""
        line, live = Line(self.history, self.mirror, "p", "main").follow(), self.history.live("p", "prod")
        assert live is not None
        found = ways_back(line, live, suppressions, NOW + timedelta(hours=10))
        return {self.shas.index(one.sha): one for one in found}


@pytest.fixture
def shop(
    repository: Repository, tmp_path: Path, needs: Callable[[str], None], request: pytest.FixtureRequest
) -> Iterator[Shop]:
    for history in fresh_history("sqlite", tmp_path, needs, request):
        yield Shop(history, repository)


def names(findings: tuple[Finding, ...] | None) -> list[str] | None:
    return None if findings is None else [one.resource for one in findings]


def test_what_returns_and_leaves_is_told_by_identity_and_not_by_number(shop: Shop) -> None:
    shop.scan(0, finding("x"))
    shop.scan(1, finding("y"))
    shop.scan(2, finding("y"), finding("z"))
    # The file is renamed: y is the same finding, so that nothing returns with commit 1 and one more leaves.
    shop.scan(4, finding("y", "new.tf"), finding("v", "new.tf"))
    shop.deploy(0, 0)
    shop.deploy(3, 1)
    shop.deploy(5, 4)
    ways = shop.ways()
    assert list(ways) == [3, 2, 1, 0], "newest first"
    reported = {number: (names(one.returning), names(one.leaving)) for number, one in ways.items()}
    assert reported == {3: (None, None), 2: (["z"], ["v"]), 1: ([], ["v"]), 0: (["x"], ["v", "y"])}
    assert {number: one.hours_live for number, one in ways.items()} == {3: 0, 2: 0, 1: 2, 0: 3}
    assert advise(ways.values()) == ways[1]
    assert ways[2].against == ("1 finding would return",) and "not known" in ways[3].against[0]


def test_a_pruned_green_commit_is_still_green(shop: Shop) -> None:
    shop.deploy(0, 0)
    shop.deploy(1, 4)
    prune(shop.history, "p", shop.shas[:2])
    assert [shop.ways()[number].tests_green for number in (1, 0)] == [True, True]


def test_what_the_configuration_hides_does_not_return(shop: Shop) -> None:
    shop.scan(3, finding("x"))
    shop.scan(4)
    shop.deploy(0, 4)
    assert names(shop.ways()[3].returning) == ["x"]
    assert names(shop.ways(Suppression("no need", "ops", date.max, resource="x"))[3].returning) == []


@pytest.mark.parametrize("bad", [Outcome.ROLLED_BACK, Outcome.FAILED, Outcome.DEGRADED])
def test_a_commit_that_failed_in_the_environment_is_listed_and_never_advised(shop: Shop, bad: Outcome) -> None:
    for number in range(5):
        shop.scan(number)
    shop.deploy(0, 1)
    shop.deploy(1, 3, bad)
    shop.deploy(2, 2, bad, "staging")
    shop.deploy(3, 3)
    shop.deploy(4, 4)
    ways = shop.ways()
    assert ways[3].outcomes == (bad.value, "deployed") and ways[3].hours_live == 1
    assert ways[2].outcomes == (), "what became of it elsewhere"
    assert advise(ways.values()) == ways[2]


def test_a_commit_that_a_person_took_back_is_never_advised(shop: Shop) -> None:
    for number in range(5):
        shop.scan(number)
    for hour, number in enumerate((2, 3, 2, 4)):
        shop.deploy(hour, number)
    ways = shop.ways()
    assert ways[3].outcomes == ("deployed", "taken_back")
    assert (ways[2].outcomes, ways[2].hours_live) == (("deployed", "deployed"), 2)
    assert advise(ways.values()) == ways[2]


def test_after_a_rollback_only_what_is_older_is_a_way_back(shop: Shop) -> None:
    for number in range(5):
        shop.scan(number)
    for hour, number in enumerate((1, 3, 2)):
        shop.deploy(hour, number)
    assert list(shop.ways()) == [1, 0]


def test_without_a_complete_scan_of_what_is_live_it_is_to_fix_forward(shop: Shop) -> None:
    shop.scan(3)
    shop.deploy(0, 3)
    shop.deploy(1, 4)
    ways = shop.ways()
    assert advise(ways.values()) is None
    assert {one.returning for one in ways.values()} == {None}


def test_a_commit_that_cannot_be_deployed_is_no_candidate_unless_it_was_there(shop: Shop) -> None:
    for number in range(5):
        shop.scan(number)
    for number in (2, 3):
        shop.history.record_test_run("p", shop.shas[number], TestRun((TestCase("t", CaseOutcome.FAILED, 0.1),), 0.1))
    shop.deploy(0, 2)
    shop.deploy(1, 4)
    ways = shop.ways()
    assert list(ways) == [2, 1, 0]
    assert ways[2].against == ("its tests are not green",)


def test_what_a_force_push_took_away_comes_last_and_is_not_known(shop: Shop) -> None:
    for number in range(5):
        shop.scan(number)
    shop.deploy(0, 4)
    shop.repository.git("reset", "--quiet", "--hard", shop.shas[2])
    shop.shas.append(shop.repository.write({"n": "new"}, "instead"))
    shop.mirror.fetch()
    shop.deploy(1, 5)
    ways = shop.ways()
    assert list(ways) == [2, 1, 0, 4]
    assert (ways[4].returning, ways[4].hours_live) == (None, 1)
