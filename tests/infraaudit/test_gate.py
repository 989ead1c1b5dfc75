"""The gate over a real repository, a real history and the files of the configuration."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit.gate import judge_commit
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Finding, ScanStatus
from resources.configuration.suppressions import read_suppressions
from resources.history import History
from tests import ROOT
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding, scan
from tests.resources.databases import DATABASES, fresh_history

NOW = datetime(2023, 11, 20, tzinfo=UTC)
SHIPPED = ROOT / "configs"
PROJECT = Project("p", "unused")


class Release:
    """A repository, its history, and a folder of configuration."""

    def __init__(self, history: History, repository: Repository, configs: Path) -> None:
        self.history, self.repository, self.configs = history, repository, configs
        (configs / "suppressions").mkdir(parents=True)
        (configs / "gate.yaml").write_text((SHIPPED / "gate.yaml").read_text())

    def commit(self, *found: Finding, status: ScanStatus = ScanStatus.COMPLETE) -> str:
        sha = self.repository.write({}, "next")
        self.history.record_commit("p", self.repository.mirror().commit(sha))
        self.history.record_scan("p", scan(sha, list(found), status))
        return sha

    def deploy(self, sha: str) -> None:
        self.history.record_deployment(Deployment("p", "production", sha, "container", Outcome.DEPLOYED, NOW, NOW))

    def judge(self, sha: str, now: datetime = NOW) -> Verdict:
        gate = self.configs / "gate.yaml"
        return judge_commit(self.history, self.repository.mirror(), PROJECT, "production", sha, gate, now)

    def suppress(self, text: str) -> None:
        (self.configs / "suppressions/p.yaml").write_text(text)


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


@pytest.fixture
def release(history: History, repository: Repository, tmp_path: Path) -> Release:
    return Release(history, repository, tmp_path / "configs")


def test_a_finding_that_was_stopped_does_not_get_in_with_the_next_commit(release: Release) -> None:
    first = release.commit(finding("old"))
    assert release.judge(first).passed
    release.deploy(first)
    stopped = release.commit(finding("old"), finding("x"))
    assert "1 new high findings" in str(release.judge(stopped))
    after = release.judge(release.commit(finding("old"), finding("x")))
    assert after.reasons == ("1 high findings new in the environment, 0 allowed, for example CKV_1 at main.tf:1",)
    assert [f.resource for f in after.findings] == ["x"]
    assert release.judge(release.commit(finding("old"))).passed


def test_the_gate_is_closed_for_want_of_a_scan_here_or_of_what_is_live(release: Release) -> None:
    live = release.repository.write({}, "never scanned")
    release.deploy(live)
    assert "what is live has no usable scan" in str(release.judge(release.commit()))
    assert str(release.judge(release.repository.write({}, "not scanned either"))) == "it has not been scanned"


def test_what_an_older_commit_did_not_read_counts_though_a_later_scan_read_it(release: Release) -> None:
    """As for a promotion, which judges a commit that others follow."""
    (release.configs / "gate.yaml").write_text("open: {high: 0}\nnew: {}\nallow_partial: true\n")
    release.commit(finding("x"))
    unread = release.commit(status=ScanStatus.PARTIAL)
    assert "1 open high findings" in str(release.judge(unread))
    release.commit(finding("x"))
    assert "1 open high findings" in str(release.judge(unread))


def test_an_sla_counts_from_the_commit_that_introduced_or_reopened(release: Release) -> None:
    (release.configs / "gate.yaml").write_text("open: {}\nnew: {}\nmax_age_days: {high: 3}\n")
    first = release.commit(finding("x"))
    made = release.repository.mirror().commit(first).committed_at
    assert release.judge(first, made + timedelta(days=3)).passed
    release.commit()
    assert "older than the 3 days" in str(release.judge(first, made + timedelta(days=3, hours=3)))
    again = release.commit(finding("x"))
    back = release.repository.mirror().commit(again).committed_at
    assert release.judge(again, back + timedelta(days=3)).passed
    assert not release.judge(again, back + timedelta(days=4)).passed


def test_an_authors_clock_that_is_ahead_does_not_stop_an_sla(release: Release) -> None:
    (release.configs / "gate.yaml").write_text("open: {}\nnew: {}\nmax_age_days: {high: 3}\n")
    release.repository._clock = int(datetime(2099, 1, 1, tzinfo=UTC).timestamp())
    sha = release.commit(finding("x"))
    assert release.judge(sha, datetime.now(UTC)).passed
    assert "older than the 3 days" in str(release.judge(sha, datetime.now(UTC) + timedelta(days=4)))


def test_a_suppression_lets_a_finding_through_until_it_runs_out(release: Release) -> None:
    release.commit()
    sha = release.commit(finding("x"))
    assert not release.judge(sha).passed
    release.suppress("suppressions: [{check: CKV_*, path: main.tf, reason: r, owner: ada, expires: 2023-11-20}]")
    assert release.judge(sha).passed
    later = release.judge(sha, NOW + timedelta(days=1))
    assert any("by ada ended on 2023-11-20" in reason for reason in later.reasons) and len(later.reasons) == 2


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("suppressions: [{check: C, reason: r, owner: o}]", r"suppressions\[0\].expires: Field required"),
        ("suppressions: [{reason: r, owner: o, expires: 2027-01-01}]", "say what it suppresses"),
        ("suppressions: [{check: C, reason: '', owner: o, expires: 2027-01-01}]", r"suppressions\[0\].reason"),
        ("suppressions: [{chek: C, reason: r, owner: o, expires: 2027-01-01}]", r"suppressions\[0\].chek"),
        ("suppressions: [{id: xyz, reason: r, owner: o, expires: 2027-01-01}]", r"suppressions\[0\].id"),
        ("suppressions: {", "cannot be read"),
        ("[]", None),
        ("", None),
    ],
)
def test_what_cannot_be_read_hides_nothing_and_says_where(tmp_path: Path, text: str, fault: str | None) -> None:
    (tmp_path / "suppressions").mkdir()
    (tmp_path / "suppressions/p.yaml").write_text(text)
    if fault is None:
        assert read_suppressions(tmp_path, "p") == ()
    else:
        with pytest.raises(ConfigurationError, match=fault):
            read_suppressions(tmp_path, "p")


def test_the_shipped_configuration_can_be_read(release: Release) -> None:
    assert read_suppressions(SHIPPED, "infraauditai") == read_suppressions(SHIPPED, "another") == ()
    assert release.judge(release.commit()).passed
