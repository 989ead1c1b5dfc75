"""From facts of the history to wanted statuses: whatever recorded them, and without judging a commit twice."""

from dataclasses import replace
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
from resources.history.forge.expected import expect_statuses
from resources.history.forge.statuses import drop_stale, projects_due, statuses_of_commit
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


def scanned(history: History, sha: str = SHA, run: str = "run") -> None:
    history.record_scan("shop", Scan(sha, (), "3.3", "d", datetime.now(UTC), 1.0))
    ended(history, "scan_report", StageOutcome.SUCCEEDED, sha, run)


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


def test_a_verdict_that_is_shown_stands_when_the_service_starts_again(history: History) -> None:
    scanned(history)
    watch(history, Judge(Verdict())).look(datetime.now(UTC))
    later = Judge(Verdict(("1 new finding of high",)))
    looks = watch(history, later)
    looks.look(datetime.now(UTC))
    deployed(history, Outcome.DEPLOYED)
    looks.look(datetime.now(UTC))
    assert (later.asked, shown(history)) == (0, {"scan": "success", "deploy-production": "success"})
    history.record_scan("shop", Scan(SHA, (), "3.4", "d", datetime.now(UTC), 1.0))
    ended(history, "scan_report", StageOutcome.SUCCEEDED, run="second")
    looks.look(datetime.now(UTC))
    assert (later.asked, shown(history)["scan"]) == (1, "failure"), "another scan is judged"


def test_a_second_scan_with_the_same_verdict_is_judged_once_too(history: History) -> None:
    judge = Judge(Verdict())
    looks = watch(history, judge)
    for run in ("first", "second"):
        scanned(history, run=run)
        looks.look(datetime.now(UTC))
    deployed(history, Outcome.DEPLOYED)
    looks.look(datetime.now(UTC))
    assert judge.asked == 2


def test_a_verdict_that_could_not_be_given_is_given_later(history: History) -> None:
    scanned(history)
    watch(history, Judge(RepositoryError("gone"))).look(datetime.now(UTC))
    assert shown(history) == {"scan": "error"}
    watch(history, Judge(Verdict())).look(datetime.now(UTC))
    assert shown(history) == {"scan": "success"}


def test_a_deployment_whose_run_failed_on_the_way_ends_until_it_is_tried_again(history: History) -> None:
    looks = watch(history, Judge(Verdict()))
    deployed(history, Outcome.INTERRUPTED)
    ended(history, "deployment", StageOutcome.FAILED)
    looks.look(datetime.now(UTC))
    assert shown(history) == {"deploy-production": "error"}
    deployed(history, Outcome.RUNNING)
    looks.look(datetime.now(UTC))
    assert shown(history) == {"deploy-production": "pending"}


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


def test_a_commit_that_is_put_off_holds_up_no_other_and_comes_later(history: History) -> None:
    def judge(project: Project, sha: str) -> Verdict:
        if sha == SHA and busy:
            raise HistoryError("busy")
        return Verdict()

    busy, looks = [True], FactWatch(history, {"shop": SHOP}, judge)
    scanned(history, "b" * 40)
    scanned(history)
    with pytest.raises(HistoryError):
        looks.look(datetime.now(UTC))
    assert (shown(history, "b" * 40), shown(history)) == ({"scan": "success"}, {})
    busy.clear()
    looks.look(datetime.now(UTC) + timedelta(minutes=5))
    assert shown(history) == {"scan": "success"}


def test_many_commits_of_one_project_leave_room_for_another(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_module, "_OF_ONE_PROJECT", 2)
    now = datetime.now(UTC)
    history.record_stage("other", SHA, "docker_image", StageOutcome.SUCCEEDED, now, now, "run", "")
    for number in range(4):
        ended(history, "docker_image", StageOutcome.SUCCEEDED, f"{number:040}")
    looks = FactWatch(history, {"shop": SHOP, "other": replace(SHOP, name="other")}, Judge(Verdict()))
    assert looks.look(datetime.now(UTC)) == 2
    assert len(statuses_of_commit(history, "other", SHA)) == 1


def test_what_is_looked_back_for_does_not_move_while_there_is_more(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_module, "_AT_ONCE", 1)
    now = datetime.now(UTC)
    looks = watch(history, Judge(Verdict()))
    ended(history, "docker_image", StageOutcome.SUCCEEDED, at=now)
    ended(history, "docker_image", StageOutcome.SUCCEEDED, "b" * 40, at=now - timedelta(hours=23, minutes=59))
    assert [looks.look(now), looks.look(now + timedelta(minutes=5))] == [1, 0]
    assert shown(history, "b" * 40)["image"] == "success"


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
