"""From facts of the history to wanted statuses: whatever recorded them, and without judging a commit twice."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit.forge import facts as facts_module
from infraaudit.forge.facts import FactWatch
from infraaudit_domain.delivery.deployments import NOWHERE, Deployment, Outcome
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.errors import HistoryError, RepositoryError
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Scan
from resources.history import History
from resources.history.forge.statuses import drop_stale, expect_statuses, projects_due, statuses_of_commit
from tests.resources.databases import migrated_history

SHA = "a" * 40
SHOP = Project("shop", "https://github.com/acme/shop")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return migrated_history(tmp_path)


class Judge:
    """A gate that counts how often it is asked."""

    def __init__(self, verdict: Verdict | Exception) -> None:
        self.verdict, self.asked = verdict, 0

    def __call__(self, project: Project, sha: str) -> Verdict:
        self.asked += 1
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


def ended(
    history: History, stage: str, outcome: StageOutcome, sha: str = SHA, run: str = "run", at: datetime | None = None
) -> None:
    moment = at or datetime.now(UTC)
    history.record_stage("shop", sha, stage, outcome, moment, moment, run, "a secret at 10.0.0.3")


def scanned(history: History, sha: str = SHA) -> None:
    history.record_scan("shop", Scan(sha, (), "3.3", "d", datetime.now(UTC), 1.0))
    ended(history, "scan_report", StageOutcome.SUCCEEDED, sha)


def deployed(history: History, outcome: Outcome) -> None:
    moment = datetime.now(UTC)
    history.record_deployment(Deployment("shop", "production", SHA, NOWHERE, outcome, moment, moment))


def shown(history: History, sha: str = SHA) -> dict[str, str]:
    return {one.context.rpartition("/")[2]: one.state.value for one in statuses_of_commit(history, "shop", sha)}


def watch(history: History, judge: Judge) -> FactWatch:
    return FactWatch(history, {"shop": SHOP}, judge)


def test_a_commit_on_its_way_through_the_pipeline(history: History) -> None:
    judge = Judge(Verdict(("2 findings of high",)))
    looks = watch(history, judge)
    expect_statuses(history, "shop", [SHA])
    looks.look(datetime.now(UTC))
    assert shown(history) == {"image": "pending", "tests": "pending", "scan": "pending"}
    ended(history, "docker_image", StageOutcome.SUCCEEDED)
    scanned(history)
    looks.look(datetime.now(UTC))
    assert shown(history) == {"image": "success", "tests": "pending", "scan": "failure"}
    history.record_test_run("shop", SHA, TestRun((TestCase("t", CaseOutcome.FAILED, 0.1, "x"),), 1.0, "", ""))
    ended(history, "test_results", StageOutcome.FAILED)
    looks.look(datetime.now(UTC))
    assert shown(history) == {"image": "success", "tests": "failure", "scan": "failure"}
    assert not [one for one in statuses_of_commit(history, "shop", SHA) if "10.0.0.3" in one.words]


def test_an_unchanged_commit_is_judged_once(history: History) -> None:
    judge = Judge(Verdict())
    looks = watch(history, judge)
    scanned(history)
    for _ in range(3):
        looks.look(datetime.now(UTC))
    assert judge.asked == 1
    looks.look(datetime.now(UTC) + timedelta(minutes=5))
    assert judge.asked == 1 and shown(history) == {"scan": "success"}


@pytest.mark.parametrize("fault", [RepositoryError("gone"), ZeroDivisionError()])
def test_a_commit_that_cannot_be_judged_stops_no_other(history: History, fault: Exception) -> None:
    looks = watch(history, Judge(fault))
    scanned(history)
    ended(history, "docker_image", StageOutcome.SUCCEEDED, "b" * 40)
    looks.look(datetime.now(UTC))
    assert shown(history, "b" * 40) == {"image": "success"}
    assert shown(history) == ({"scan": "error"} if isinstance(fault, RepositoryError) else {})


def test_a_second_run_and_a_deployment_by_hand_are_seen_too(history: History) -> None:
    looks = watch(history, Judge(Verdict()))
    ended(history, "docker_image", StageOutcome.FAILED)
    looks.look(datetime.now(UTC))
    assert shown(history) == {"image": "failure", "tests": "error"}
    ended(history, "docker_image", StageOutcome.SUCCEEDED, run="second")
    for outcome, state in ((Outcome.WAITING, "pending"), (Outcome.DEPLOYED, "success")):
        deployed(history, outcome)
        looks.look(datetime.now(UTC))
        assert shown(history)["deploy-production"] == state
    assert shown(history)["image"] == "success"


def test_a_commit_that_a_gate_stops(history: History) -> None:
    deployed(history, Outcome.SKIPPED)
    ended(history, "deployment", StageOutcome.FAILED)
    watch(history, Judge(Verdict())).look(datetime.now(UTC))
    assert shown(history) == {"deploy-production": "failure"}


def test_a_forge_that_is_new_is_not_sent_the_past(history: History) -> None:
    ended(history, "docker_image", StageOutcome.FAILED, at=datetime.now(UTC) - timedelta(days=3))
    watch(history, Judge(Verdict())).look(datetime.now(UTC))
    assert shown(history) == {}


def test_after_a_long_stop_what_is_pending_gets_its_outcome(history: History) -> None:
    expect_statuses(history, "shop", [SHA])
    ended(history, "docker_image", StageOutcome.SUCCEEDED)
    later = datetime.now(UTC) + timedelta(days=3)
    watch(history, Judge(Verdict())).look(later)
    assert shown(history) == {"image": "success", "tests": "error", "scan": "error"}
    drop_stale(history, ["other"], later)
    assert projects_due(history, later) == ["shop"]
    watch(history, Judge(Verdict())).look(later + timedelta(days=30))
    assert projects_due(history, later) == [], "nobody looks for them any more"


def test_a_commit_whose_older_facts_leave_the_window_is_not_judged_again(history: History) -> None:
    judge, now = Judge(Verdict()), datetime.now(UTC)
    looks = watch(history, judge)
    ended(history, "docker_image", StageOutcome.SUCCEEDED, at=now - timedelta(seconds=50))
    scanned(history)
    looks.look(now)
    for seconds in (5, 30, 55):
        looks.look(now + timedelta(seconds=seconds))
    assert judge.asked == 1


def test_a_history_that_is_busy_is_asked_again(history: History) -> None:
    judge = Judge(HistoryError("busy"))
    looks = watch(history, judge)
    scanned(history)
    with pytest.raises(HistoryError):
        looks.look(datetime.now(UTC))
    judge.verdict = Verdict()
    looks.look(datetime.now(UTC))
    assert shown(history) == {"scan": "success"}


def test_many_commits_are_looked_at_some_at_a_time_and_none_is_left_out(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_module, "_AT_ONCE", 3)
    looks = watch(history, Judge(Verdict()))
    for number in range(7):
        ended(history, "docker_image", StageOutcome.SUCCEEDED, f"{number:040}")
    assert [looks.look(datetime.now(UTC)) for _ in range(4)] == [4, 1, 0, 0]
    assert all(shown(history, f"{number:040}") for number in range(7))


def test_a_project_without_a_forge_has_none(history: History) -> None:
    looks = FactWatch(history, {}, Judge(Verdict()))
    ended(history, "docker_image", StageOutcome.SUCCEEDED)
    assert looks.look(datetime.now(UTC)) == 0 and shown(history) == {}
