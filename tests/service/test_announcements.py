"""What becomes of facts in the history: who is told of them, in which words, and once."""

from datetime import UTC, datetime, timedelta

import pytest

from infraaudit.notices.announcer import Announcer
from infraaudit.notices.code_owners import named_commit
from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.digest import digest_of
from infraaudit_domain.reporting.notices import NamedCommit, Notice, severe_findings
from infraaudit_domain.scans.findings import Finding, FindingStatus, Severity
from resources.history import History
from resources.history.outbox import waiting_notices, write_notices
from tests.conftest import Repository

NOW = datetime.now(UTC)


class Announced:
    """A project with a real repository, facts that a pipeline would record, and what is announced of them."""

    def __init__(self, past: History, repository: Repository) -> None:
        owners = "* @everyone\n/src/ @team-src\n"
        self.shas = [
            repository.write({"CODEOWNERS": owners, "src/a.py": "1"}, "Start"),
            repository.write({"src/a.py": "2"}, "Change \x1b[31ma"),
            repository.write({"src/a.py": "3"}, "Fix a"),
        ]
        self.past, self.mirror = past, repository.mirror()
        project = Project("shop", str(repository.path))
        self.announcer = Announcer(past, {"shop": project}, lambda _: self.mirror, "http://dagster/", "http://audit")

    def stage(self, sha: str, stage: str, outcome: StageOutcome, reason: str = "", run: str = "run-1") -> None:
        self.past.record_stage("shop", sha, stage, outcome, NOW, NOW + timedelta(seconds=9), run, reason)

    def deploy(self, sha: str, outcome: Outcome, minutes: int, brought: tuple[str, ...] = (), reason: str = "") -> None:
        start = NOW + timedelta(minutes=minutes)
        done = Deployment("shop", "production", sha, "container", outcome, start, start + timedelta(seconds=5),
                          replaced_sha=self.shas[0], reason=reason)  # fmt: skip
        self.past.record_deployment(done, [(one, NOW) for one in brought])

    def announce(self) -> list[Notice]:
        written, found = self.announcer.announce(NOW), waiting_notices(self.past)
        assert written == len(found)
        assert self.announcer.announce(NOW) == 0, "announced twice"
        return list(found)


@pytest.fixture
def announced(past: History, repository: Repository) -> Announced:
    return Announced(past, repository)


def test_failing_tests_name_the_test_the_author_and_the_owners(announced: Announced) -> None:
    sha = announced.shas[1]
    announced.past.record_test_run(
        "shop",
        sha,
        TestRun((TestCase("t::a", CaseOutcome.PASSED, 1), TestCase("t::b", CaseOutcome.FAILED, 1, "boom")), 1),
    )
    announced.stage(sha, "test_results", StageOutcome.FAILED, "1 of 2 tests failed")
    announced.stage(sha, "docker_image", StageOutcome.RETRIED, "the engine was away")
    (notice,) = announced.announce()
    assert (notice.urgency, notice.title) == ("failure", f"shop: the tests stop {sha[:12]}")
    assert notice.body.splitlines() == [
        "Change a", "by Ada <ada@example.org> for @team-src", "1 of 2 tests failed", "t::b: boom",
        f"Push a fix; where the commit was not at fault, run it again: infraaudit run --project shop --commit {sha[:12]}",
        "http://dagster/runs/run-1",
    ]  # fmt: skip


def test_a_notice_concerns_those_of_the_author_and_the_owners_that_have_a_route(announced: Announced) -> None:
    routes = {"Ada@Example.org": (), "@TEAM-src": (), "@everyone": (), "@evil": ()}
    project = Project("shop", str(announced.mirror.url), routes=routes)
    announcer = Announcer(announced.past, {"shop": project}, lambda _: announced.mirror, "", "")
    announced.stage(announced.shas[1], "docker_image", StageOutcome.FAILED, "no such file")
    announcer.announce(NOW)
    (notice,) = waiting_notices(announced.past)
    assert notice.owners == ("ada@example.org", "@team-src")


def test_a_commits_own_codeowners_file_chooses_nobody(repository: Repository) -> None:
    repository.write({"CODEOWNERS": "* @team\n", "a": "1"}, "Start")
    repository.git("checkout", "--quiet", "-b", "hostile")
    sha = repository.write({"CODEOWNERS": "* @victim https://evil.example\n", "a": "2"}, "Change")
    project = Project("shop", "", routes={"@team": (), "@victim": ()})
    assert named_commit(project, repository.mirror(), sha).routed == ("@team",)


def test_a_commit_pushed_to_the_branch_itself_is_owned_by_the_file_before_it(repository: Repository) -> None:
    first = repository.write({"CODEOWNERS": "* @victim\n", "a": "1"}, "Start")
    repository.write({"CODEOWNERS": "* @team\n", "a": "2"}, "Agreed")
    hostile = repository.write({"CODEOWNERS": "* @victim\n", "a": "3"}, "Change")
    project, mirror = Project("shop", "", routes={"@team": (), "@victim": ()}), repository.mirror()
    assert named_commit(project, mirror, hostile).routed == ("@team",)
    assert named_commit(project, mirror, first).routed == ()


def test_a_gates_stop_that_the_new_findings_report_is_not_reported_again(announced: Announced) -> None:
    told, untold, _ = announced.shas
    finding = Finding(
        "terraform", "CKV_A", "name", "src/a.py", "r", 1, 1, 0, FindingStatus.OPEN, severity=Severity.HIGH
    )
    for sha, stopped in ((told, "1 new high finding"), (untold, "")):
        notice = severe_findings(
            NamedCommit("shop", sha, "Not deployed: revert"), [finding], None, stopped, link="http://audit/it"
        )
        assert notice and ("Not deployed: 1 new high finding" in notice.body) is bool(stopped)
        assert digest_of("address", [notice]).body.splitlines() == [notice.title, "  http://audit/it"]
        write_notices(announced.past, [notice])
        announced.stage(sha, "deployment", StageOutcome.FAILED, "Not deployed: 1 new high finding")
    assert announced.announcer.announce(NOW) == 1
    stops = [one.title for one in waiting_notices(announced.past) if "the gate stops" in one.title]
    assert stops == [f"shop: the gate stops {untold[:12]}"]


@pytest.mark.parametrize(
    ("outcome", "urgency", "words"),
    [
        (Outcome.ROLLED_BACK, "failure", "was rolled back"),
        (Outcome.DEGRADED, "critical", "is degraded"),
        (Outcome.FAILED, "failure", "could not be deployed"),
    ],
)
def test_a_deployment_that_failed_is_announced_once_with_the_pods_words(
    announced: Announced, outcome: Outcome, urgency: str, words: str
) -> None:
    announced.deploy(announced.shas[1], outcome, 0, reason="container app: OOMKilled")
    # The asset's own stage failed with it: that is the same event.
    announced.stage(announced.shas[1], "deployment", StageOutcome.FAILED, f"{outcome.value}: container app: OOMKilled")
    (notice,) = announced.announce()
    assert notice.urgency == urgency and words in notice.title
    assert "container app: OOMKilled" in notice.body and notice.body.endswith("http://audit/projects/shop")
    assert ("infraaudit rollback --project shop" in notice.body) is (outcome is Outcome.DEGRADED)


def test_recovery_is_announced_after_a_rollback_and_after_a_stage_that_failed(announced: Announced) -> None:
    first, second, third = announced.shas
    announced.deploy(first, Outcome.DEPLOYED, -5, (first,))
    assert announced.announce() == [], "nothing had failed"
    announced.stage(second, "test_results", StageOutcome.FAILED, "1 of 2 tests failed")
    announced.deploy(third, Outcome.DEPLOYED, 5, (second, third))
    assert {one.title for one in announced.announce()} == {
        f"shop: the tests stop {second[:12]}",
        f"shop in production has recovered: {third[:12]} is healthy",
    }


def test_a_recovery_follows_a_rollback(announced: Announced) -> None:
    announced.deploy(announced.shas[0], Outcome.DEPLOYED, 0)
    announced.deploy(announced.shas[1], Outcome.ROLLED_BACK, 1)
    announced.deploy(announced.shas[2], Outcome.DEPLOYED, 2)
    assert sorted(one.urgency for one in announced.announce()) == ["failure", "info"]


def test_what_becomes_healthy_first_in_an_environment_has_not_recovered(announced: Announced) -> None:
    first, second, third = announced.shas
    announced.stage(first, "deployment", StageOutcome.FAILED, "the registry was away")
    announced.deploy(first, Outcome.FAILED, -3)
    announced.deploy(first, Outcome.DEPLOYED, -2, (first,))
    announced.deploy(first, Outcome.UNCHANGED, 0)
    announced.deploy(second, Outcome.DEPLOYED, 1, (second,))
    assert not [one.title for one in announced.announce() if "recovered" in one.title]
    # What went wrong before a commit came first has been over since: putting it back ends nothing again.
    announced.deploy(first, Outcome.DEPLOYED, 3)
    assert announced.announcer.announce(NOW) == 0


def test_a_codeowners_file_that_is_too_long_names_nobody_and_the_commit_is_announced(repository: Repository) -> None:
    repository.write({"CODEOWNERS": "* @everyone\n" * 10_000}, "Start")
    sha = repository.write({"a": "1"}, "Change")
    commit = named_commit(Project("shop", str(repository.path)), repository.mirror(), sha)
    assert commit == NamedCommit("shop", sha, "Change", "Ada <ada@example.org>")


def test_facts_of_a_commit_that_is_gone_are_announced_bare(announced: Announced) -> None:
    announced.past.record_commit("gone", Commit("e" * 40, "t", (), "A", "a@x", NOW, NOW, "s"))
    announced.stage("f" * 40, "docker_image", StageOutcome.FAILED, "no such file")
    (notice,) = announced.announce()
    assert notice.body.startswith("no such file")
