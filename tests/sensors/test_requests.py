"""The sensor of requests over real repositories and a real instance: runs, what is cancelled, and verdicts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from infraaudit.forge.requests import allow
from infraaudit.intake.request_heads import require_ours
from infraaudit_assets.definitions import build_definitions
from infraaudit_assets.settings import Settings
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import CaseOutcome
from infraaudit_domain.errors import RepositoryError
from infraaudit_domain.forge.change_requests import RequestState
from infraaudit_domain.triggers import REQUESTED, GitEvent
from resources.history.forge.comments import comment_row
from resources.history.git_events import record_git_events, recorded_commits
from resources.history.queries.events import failed_stages
from sensors import requests
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding
from tests.sensors.requesting import FORGE, NOW, Shop
from tests.sensors.test_commits import SHIPPED


@pytest.fixture
def shop(repository: Repository, tmp_path: Path) -> Iterator[Shop]:
    requests._not_before.clear()
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster/dagster.yaml").write_text(SHIPPED.read_text())
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        yield Shop(repository, tmp_path, instance)


def test_a_head_is_run_once_and_judged_against_the_merge_base(shop: Shop) -> None:
    head = shop.branch("2")
    shop.mirror.fetch()
    shop.scanned(shop.base, finding("old"), finding("gone"))
    shop.repository.write({"other.tf": "1"}, "the target branch goes on")
    shop.tell(head)
    assert shop.tick() == [("shop_request", head)]
    shop.run("PIPELINE_STARTING", "PIPELINE_START")
    assert shop.tick() == [] and shop.row["verdict"] == "pending"
    shop.scanned(head, finding("old"), finding("new one"))
    assert shop.tick() == [] and shop.row["verdict"] == "pending", "its tests have not ended"
    shop.tested(head)
    assert shop.tick() == []
    assert {name: shop.row[name] for name in ("base", "verdict", "new", "fixed", "not_live")} == {
        "base": shop.base, "verdict": "fails", "new": 1, "fixed": 1, "not_live": 0,
    }  # fmt: skip
    assert "1 new high findings" in shop.row["reason"]
    state, words = shop.said["request"]
    assert state == "failure" and words.startswith("Would be stopped; 1 new, 1 fixed, 0 would go live; 1 new high")
    assert shop.tick() == []


def test_all_that_a_branch_brings_counts_and_not_its_last_commit_alone(shop: Shop) -> None:
    first = shop.branch("2")
    shop.repository.git("switch", "--quiet", "topic")
    head = shop.repository.write({"main.tf": "3"}, "nothing new in this one")
    shop.repository.git("switch", "--quiet", "main")
    shop.mirror.fetch()
    shop.scanned(shop.base)
    shop.scanned(first, finding("bad"))
    shop.scanned(head, finding("bad"))
    shop.tested(head)
    shop.tell(head)
    assert shop.tick() == [], "it has run before"
    assert (shop.row["verdict"], shop.row["new"]) == ("fails", 1)


@pytest.mark.parametrize(("outcome", "verdict"), [(CaseOutcome.PASSED, "passes"), (CaseOutcome.FAILED, "fails")])
def test_a_head_without_findings_passes_where_its_tests_do(shop: Shop, outcome: CaseOutcome, verdict: str) -> None:
    head = shop.branch("2")
    shop.mirror.fetch()
    shop.scanned(shop.base)
    shop.tell(head)
    shop.tick()
    shop.scanned(head)
    shop.tested(head, outcome)
    shop.tick()
    assert shop.row["verdict"] == verdict
    assert "it said" not in shop.said["request"][1]


def test_where_nothing_before_was_scanned_nobody_knows(shop: Shop) -> None:
    head = shop.branch("2")
    shop.mirror.fetch()
    shop.tell(head)
    shop.tick()
    shop.scanned(head)
    shop.tested(head)
    shop.tick()
    assert (shop.row["verdict"], shop.row["new"]) == ("unknown", None) and shop.said["request"][0] == "error"


def test_a_newer_head_takes_the_place_of_the_older_ones_queued_run(shop: Shop) -> None:
    older = shop.branch("2")
    shop.mirror.fetch()
    shop.tell(older)
    assert shop.tick() == [("shop_request", older)]
    run = shop.run()
    newer = shop.branch("3")
    shop.mirror.fetch()
    shop.tell(newer)
    assert shop.tick() == [("shop_request", newer)]
    assert shop.status(run) == "CANCELED"
    last = shop.run()
    shop.tick()
    assert shop.status(last) == "QUEUED"
    shop.tell(newer, state=RequestState.CLOSED)
    assert shop.tick() == []
    assert shop.status(last) == "CANCELED"
    assert set(shop.said.values()) == {("error", "Not run: its request was closed")}


def test_a_fork_waits_for_a_member_with_every_head_and_is_only_scanned(shop: Shop) -> None:
    head = shop.fork("2")
    shop.mirror.fetch()
    shop.scanned(shop.base)
    fork = {"is_fork": True, "source_repository": "stranger/shop"}
    shop.tell(head, **fork)
    assert shop.tick() == [] and shop.mirror.existing([head]) == [], "it is not even fetched"
    allow(shop.history, shop.project, 7, head, "eve")
    assert shop.tick() == [("shop_fork", head)]
    assert shop.mirror.existing([head]) == [head]
    assert set(shop.mirror.branches()) == {"main"}, "it is on no branch of ours"
    shop.scanned(head)
    shop.tick()
    assert shop.row["verdict"] == "passes" and "nothing of it was built" in shop.row["reason"]
    later = shop.fork("3")
    shop.tell(later, **fork)
    assert shop.tick() == [] and shop.row["verdict"] == "waits" and shop.mirror.existing([later]) == []


def test_a_head_that_cannot_be_had_is_told_of_and_tried_again_later(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.mirror.fetch()
    shop.tell("e" * 40)
    assert shop.tick() == [] and "is not on topic" in shop.row["reason"]
    head = shop.branch("2")
    shop.tell(head)
    assert shop.tick() == [("shop_request", head)] and shop.row["reason"] == ""


@pytest.mark.parametrize("is_in_mirror", [True, False])
def test_what_is_on_no_branch_of_ours_is_never_run_whatever_its_forge_says(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, is_in_mirror: bool
) -> None:
    monkeypatch.setattr(requests, "_AGAIN_SECONDS", 0.0)
    shop.branch("3")
    head = shop.fork("2")
    shop.mirror.fetch()
    if is_in_mirror:
        shop.mirror.fetch_beside("refs/pull/7/head")
    shop.tell(head)
    assert [shop.tick() for _ in range(3)] == [[], [], []]
    assert shop.row["verdict"] == "waits" and shop.mirror.existing([head]) == ([head] if is_in_mirror else [])
    with pytest.raises(RepositoryError, match="no branch"):
        require_ours(shop.mirror, shop.project, head)
    require_ours(shop.mirror, shop.project, shop.base)
    allow(shop.history, shop.project, 7, head, "eve")
    shop.tell(head, title="as if it were ours again")
    assert {run for _ in range(3) for run in shop.tick()} == {("shop_fork", head)}


def test_a_run_that_died_is_not_waited_for(shop: Shop) -> None:
    head = shop.branch("2")
    shop.mirror.fetch()
    shop.tell(head)
    shop.tick()
    shop.run("PIPELINE_STARTING", "PIPELINE_START", "PIPELINE_FAILURE")
    assert shop.tick() == [] and shop.row["verdict"] == "unknown"


def test_a_head_whose_run_was_cancelled_is_run_again_when_its_request_is_opened_again(shop: Shop) -> None:
    head = shop.branch("2")
    shop.mirror.fetch()
    shop.tell(head)
    shop.tick()
    run = shop.run()
    shop.tell(head, state=RequestState.CLOSED)
    shop.tick()
    assert shop.status(run) == "CANCELED"
    shop.tell(head)
    assert shop.tick() == [("shop_request", head)] and shop.row["verdict"] == "pending"
    assert shop.status(shop.run()) == "QUEUED"
    assert shop.tick() == [] and shop.row["verdict"] == "pending"


def test_a_branch_that_is_watched_has_its_own_run(shop: Shop) -> None:
    head = shop.branch("2")
    shop.mirror.fetch()
    shop.project = replace(shop.project, branches=("main", "topic"))
    shop.tell(head)
    assert shop.tick() == [] and shop.row["verdict"] == "pending"


def test_what_a_request_ran_is_neither_an_earlier_commit_nor_news(shop: Shop) -> None:
    head = shop.branch("2")
    shop.mirror.fetch()
    shop.scanned(shop.base)
    shop.scanned(head)
    record_git_events(shop.history, "shop", [GitEvent(REQUESTED, "", "the run", head)])
    assert recorded_commits(shop.history, "shop") == [shop.base]
    for run in ("the run", "another"):
        shop.history.record_stage("shop", head, "test_results", StageOutcome.FAILED, NOW, NOW, run, "")
        assert len(failed_stages(shop.history, NOW - timedelta(days=1))) == (run == "another")


def test_the_jobs_of_requests_deploy_nothing_and_that_of_forks_runs_nothing(shop: Shop) -> None:
    found = build_definitions((shop.project,), Settings(home=Path("unused")))
    stages = {
        name: {key.path[-1] for key in found.resolve_job_def(name).asset_layer.executable_asset_keys}
        for name in ("shop_request", "shop_fork")
    }
    assert stages["shop_request"] == {"commit", "docker_image", "test_results", "scan_report"}
    assert stages["shop_fork"] == {"commit", "scan_report"}
    without = build_definitions(
        (replace(shop.project, forge=replace(FORGE, requests=False)),), Settings(home=Path("u"))
    )
    assert not any("request" in sensor.name for sensor in without.sensors or ())


def test_a_verdict_is_said_in_the_requests_comment_where_it_is_asked_for(shop: Shop) -> None:
    head = shop.branch("2")
    shop.mirror.fetch()
    shop.scanned(shop.base, finding("gone"))
    shop.scanned(head, finding("new one"))
    shop.tested(head)
    shop.tell(head)
    shop.tick()
    assert shop.row["verdict"] == "fails" and comment_row(shop.history, "shop", 7) is None, "it is off"
    shop.project = replace(shop.project, forge=replace(FORGE, comments=True))
    later = shop.branch("3")
    shop.mirror.fetch()
    shop.scanned(later, finding("new one"))
    shop.tested(later)
    shop.tell(later)
    shop.tick()
    row = comment_row(shop.history, "shop", 7)
    assert row and later[:12] in row["text"] and "**New**" in row["text"] and "**Fixed**" in row["text"]
    assert "Open findings: 1 new, 1 fixed, 0 would go live." in row["text"] and row["due_at"] is not None
