"""What is live is judged by the rules of today: once for each change, reported once for each cause, and never undeployed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit.live_gate import judge_live, judge_live_where_due
from infraaudit_domain.errors import DagsterUnavailableError
from infraaudit_domain.judging.audit_log import Actor, Via
from infraaudit_domain.judging.live import LiveJudgement
from infraaudit_domain.judging.triage import Action, Event, Ruling
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Severity
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.decisions.judgements import judgement_rows
from resources.history.decisions.rejections import reject
from resources.history.decisions.triage import record_events
from resources.history.outbox import waiting_notices
from resources.history.scan_results import rate
from service.exporter import HistoryCollector
from service.workers.live_gate_worker import LiveGateWorker
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding
from tests.infraaudit.test_gate import PROJECT, Release
from tests.resources.databases import DATABASES, fresh_history

NOW = datetime(2026, 5, 1, tzinfo=UTC)
STRICT = "open: {high: 0}\nnew: {}\n"


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


@pytest.fixture
def release(history: History, repository: Repository, tmp_path: Path) -> Release:
    return Release(history, repository, tmp_path / "configs")


def look(release: Release, now: datetime = NOW) -> LiveJudgement | None:
    gate = release.configs / "gate.yaml"
    mirror = release.repository.mirror()
    return judge_live_where_due(release.history, mirror, PROJECT, PROJECT.environment, gate, now)


def test_every_change_of_the_rules_is_a_judgement_and_every_cause_one_notice(release: Release) -> None:
    assert look(release) is None, "nothing is live"
    release.deploy(release.commit(finding("x")))
    first = look(release)
    assert first and first.passes and look(release) is None, "nothing changed"
    (release.configs / "gate.yaml").write_text(STRICT)
    strict = look(release)
    assert strict and not strict.passes and "1 open high findings, 0 allowed" in str(strict)
    later = look(release, NOW + timedelta(hours=3))
    assert later and later.cause == strict.cause
    assert look(release, NOW + timedelta(hours=5, minutes=59)) is None
    (notice,) = waiting_notices(release.history)
    assert "is live and would not be let in today" in notice.title and "1 open high" in notice.body
    release.suppress("suppressions: [{reason: r, owner: o, expires: 2026-05-02, check: CKV_1}]")
    assert (accepted := look(release)) and accepted.passes
    ended = look(release, NOW + timedelta(days=3))
    assert ended and not ended.passes and ended.cause != strict.cause
    assert len(waiting_notices(release.history)) == 2
    live = release.history.live("p", "production")
    assert live and live.sha == first.sha, "it is undeployed by nobody"


def test_other_severities_and_a_rejection_are_changes_too(release: Release) -> None:
    (release.configs / "gate.yaml").write_text("open: {critical: 0}\nnew: {}\n")
    sha = release.commit(finding("x"))
    release.deploy(sha)
    rate(release.history, {"CKV_1": Severity.HIGH})
    assert (before := look(release)) and before.passes
    rate(release.history, {"CKV_1": Severity.CRITICAL})
    assert (after := look(release)) and not after.passes
    rate(release.history, {"CKV_1": Severity.HIGH})
    assert (low := look(release)) and low.passes
    reject(release.history, "p", sha, "it loses orders", "bob")
    assert (again := look(release)) and not again.passes and "it loses orders" in str(again)


def test_a_decision_that_hides_is_a_change_and_an_assignment_is_none(release: Release) -> None:
    sha = release.commit(finding("x"))
    release.deploy(sha)
    assert look(release)
    mark, eve = finding("x").fingerprint, Actor("eve", Via.CLI)
    for ruling, is_judged in (
        (Ruling(Action.ASSIGN, owner="ada"), False),
        (Ruling(Action.FALSE_POSITIVE, "no"), True),
    ):
        record_events(release.history, "p", [Event(mark, sha, ruling, "eve", NOW)], {}, eve, mark)
        assert (look(release) is not None) == is_judged, ruling


def test_a_gate_that_cannot_be_read_lets_nothing_pass(release: Release) -> None:
    release.deploy(release.commit())
    (release.configs / "gate.yaml").write_text("open: [")
    found = look(release)
    assert found and not found.passes and "gate.yaml" in str(found)


def test_a_cause_is_the_same_on_every_day(release: Release) -> None:
    (release.configs / "gate.yaml").write_text("open: {}\nnew: {}\nmax_age_days: {high: 3}\n")
    release.commit()
    release.deploy(release.commit(finding("x")))
    days = [judge_live(release.history, release.repository.mirror(), PROJECT, PROJECT.environment,
                       release.configs / "gate.yaml", NOW + timedelta(days=day)) for day in (0, 1, 40)]  # fmt: skip
    assert len({one.cause for one in days if one and not one.passes}) == 1 and len(set(map(str, days))) == 3


def test_the_metric_is_of_what_is_live(release: Release) -> None:
    def metric() -> dict[tuple[str, ...], float]:
        families = {family.name: family for family in HistoryCollector(release.history).collect()}
        return {tuple(s.labels.values()): s.value for s in families["infraaudit_live_passes"].samples}

    release.deploy(release.commit(finding("x")))
    assert metric() == {}, "not judged yet"
    look(release)
    assert metric() == {("p", "production"): 1.0}
    (release.configs / "gate.yaml").write_text(STRICT)
    look(release)
    assert metric() == {("p", "production"): 0.0}
    release.deploy(release.commit())
    assert metric() == {}, "another commit is live"


def test_dagster_is_shown_each_judgement_later_where_it_does_not_answer(release: Release) -> None:
    shown: list[tuple[str, str, bool]] = []
    answers = False

    def show(asset: Sequence[str], check: str, passed: bool, words: str, about: Mapping[str, str]) -> None:
        if not answers:
            raise DagsterUnavailableError("it restarts")
        shown.append(("/".join(asset), check, passed))

    release.deploy(release.commit(finding("x")))
    worker = LiveGateWorker(
        lambda: release.history, [PROJECT], lambda _: release.repository.mirror(), release.configs / "gate.yaml", show
    )
    worker.work(PROJECT, NOW)
    assert not shown and [row["passed"] for row in judgement_rows(release.history)] == [True]
    answers = True
    for _ in range(2):
        worker.work(PROJECT, NOW)
    assert shown == [("p/deployment", "live_still_passes", True)]


def test_what_cannot_be_reached_keeps_no_other_environment_from_being_judged(
    release: Release,
) -> None:
    release.deploy(release.commit())
    gone = Project("gone", "/nowhere")
    live = release.history.live("p", "production")
    assert live
    release.history.record_deployment(replace(live, project="gone"))
    worker = LiveGateWorker(
        lambda: release.history, [gone, PROJECT],
        lambda project: Mirror("/nowhere", release.configs / "none") if project is gone else release.repository.mirror(),
        release.configs / "gate.yaml", lambda *_: None,
    )  # fmt: skip
    for project in (gone, PROJECT):
        worker.work(project, NOW)
    assert {row["project"] for row in judgement_rows(release.history)} >= {"p"}
