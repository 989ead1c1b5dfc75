"""Deployments and their records."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from infraaudit.deploying.deploy import recorded_when_it_fails
from infraaudit.deploying.live_state import look_at
from infraaudit.deploying.self_heal import heal
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.errors import (
    ClusterError,
    ClusterUnavailableError,
    NotThereError,
    RejectedByClusterError,
)
from infraaudit_domain.projects import Project
from resources.history.decisions.rejections import reject, rejected, rejection_rows, take_back
from resources.history.deployments import (
    deployed_before,
    ends_an_incident,
    live_since,
)
from resources.history.queries.environments import dora
from tests.infraaudit.deploying.scripted_shop import ScriptedTarget, Shop


def test_a_rollback_by_hand_stays_until_a_newer_commit_comes(shop: Shop) -> None:
    assert [shop.deliver(n).outcome for n in (1, 0, 3)] == [Outcome.DEPLOYED, Outcome.SUPERSEDED, Outcome.DEPLOYED]
    shop.deliver(1, by_hand=True)
    for taken_back in (3, 2):
        kept = shop.deliver(taken_back)
        assert kept.outcome is Outcome.SUPERSEDED and "put back by hand" in kept.reason
    assert shop.target.running == shop.shas[1]
    assert shop.deliver(4).outcome is Outcome.DEPLOYED


def test_degraded_is_seen_in_the_state(shop: Shop) -> None:
    shop.deliver(0)
    shop.target.bad = set(shop.shas)
    assert shop.deliver(1).outcome is Outcome.DEGRADED
    project = Project("shop", "/x")
    seen = look_at(shop.history, project, project.environment, lambda live: shop.target)
    assert (seen.healthy, seen.degraded, seen.live and seen.live.sha) == (False, True, shop.shas[0])
    shop.target.bad.clear()
    assert shop.deliver(1).outcome is Outcome.DEPLOYED
    seen = look_at(shop.history, project, project.environment, lambda live: shop.target)
    assert seen.healthy and not seen.degraded


def test_the_same_release_again_is_applied_and_is_no_deployment(shop: Shop) -> None:
    first = shop.deliver(0)
    again = [shop.deliver(0) for _ in range(2)]
    assert [one.outcome for one in again] == [Outcome.UNCHANGED] * 2 and all(one.is_live for one in again)
    assert shop.target.applied == 3, "what drifted would stay"
    live = shop.history.live("shop", "production")
    assert live and (live.started_at, live.finished_at) == (first.started_at, first.finished_at)
    assert live.url == "http://scripted:3", "where it answers now"
    measured = dora(shop.history, "shop", "production", datetime.now(UTC))
    assert (measured.attempts, measured.deployed) == (1, 1)


@pytest.mark.parametrize("other", [{"image": "i:2"}, {"manifests": "kind: Service"}])
def test_another_image_or_other_manifests_of_the_live_commit_are_a_deployment(
    shop: Shop, other: dict[str, str]
) -> None:
    first = shop.deliver(0)
    second = shop.deliver(0, **other)
    assert second.outcome is Outcome.DEPLOYED
    live = shop.history.live("shop", "production")
    assert live == second and live_since(shop.history, second) == first.finished_at


def test_the_live_release_on_another_target_is_a_deployment(shop: Shop) -> None:
    shop.deliver(0)
    shop.target.name = "moved"
    assert shop.deliver(0).outcome is Outcome.DEPLOYED


def test_back_and_forward_again_are_deployments_and_going_back_to_what_is_live_is_none(shop: Shop) -> None:
    outcomes = [shop.deliver(number, by_hand=True).outcome for number in (0, 1, 0, 0, 1)]
    deployed, unchanged = Outcome.DEPLOYED, Outcome.UNCHANGED
    assert outcomes == [deployed, deployed, deployed, unchanged, deployed]
    measured = dora(shop.history, "shop", "production", datetime.now(UTC))
    assert (measured.attempts, measured.deployed, measured.failure_ratio) == (3, 3, 1 / 3)


def test_what_ran_before_is_put_back_for_real_after_a_failure_that_left_it_in_doubt(shop: Shop) -> None:
    first = shop.deliver(0)
    shop.target.bad = {shop.shas[1]}
    assert [shop.deliver(number).outcome for number in (1, 0)] == [Outcome.ROLLED_BACK, Outcome.UNCHANGED]
    shop.target.bad = set(shop.shas)
    assert shop.deliver(1).outcome is Outcome.DEGRADED
    shop.target.bad.clear()
    back = shop.deliver(0)
    assert back.outcome is Outcome.DEPLOYED and live_since(shop.history, back) == first.finished_at
    assert ends_an_incident(shop.history, back)
    measured = dora(shop.history, "shop", "production", datetime.now(UTC))
    assert (measured.attempts, measured.deployed, measured.incident_open) == (3, 1, False)


def test_another_target_than_the_one_that_was_deployed_to_is_not_taken_for_it(shop: Shop) -> None:
    shop.deliver(0)
    project = Project("shop", "/x")
    with pytest.raises(ClusterUnavailableError, match="deployed to scripted; what answers is other"):
        look_at(shop.history, project, project.environment, lambda live: ScriptedTarget(name="other"))


class LockedTarget(ScriptedTarget):
    """Refuses the lock of an environment, as a cluster without the namespace does."""

    @contextmanager
    def exclusive(self, project: str, environment: str, **_: object) -> Iterator[None]:
        raise RejectedByClusterError("making Lease/x: the namespace is not there.")
        yield

    def check_exclusive(self) -> None:
        raise AssertionError("it was never held")


def test_every_attempt_has_a_row_with_its_cause(shop: Shop) -> None:
    shop.deliver(0)
    shop.target.error = ClusterError("the API server does not answer")
    with pytest.raises(ClusterError):
        shop.deliver(1)
    away = shop.history.last_deployment("shop", "production", shop.shas[1])
    assert away and (away.outcome, away.reason) == (Outcome.INTERRUPTED, "the API server does not answer")
    assert dora(shop.history, "shop", "production", datetime.now(UTC)).attempts == 1, "it may yet be carried through"
    shop.target = LockedTarget()
    refused = shop.deliver(2)
    assert (refused.outcome, refused.replaced_sha) == (Outcome.FAILED, shop.shas[0])
    assert shop.history.last_deployment("shop", "production", shop.shas[2]) == refused
    with (
        pytest.raises(RejectedByClusterError),
        recorded_when_it_fails(shop.history, "shop", "production", shop.shas[3]),
    ):
        raise RejectedByClusterError("The login has expired.")
    unprepared = shop.history.last_deployment("shop", "production", shop.shas[3])
    assert unprepared and (unprepared.outcome, unprepared.target) == (Outcome.FAILED, "none")
    assert "login has expired" in unprepared.reason
    shop.target = ScriptedTarget(name="scripted")
    assert shop.deliver(0).outcome is Outcome.DEPLOYED, "what an interrupted attempt left is not known"


def test_what_comes_after_a_deployment_changes_nothing_of_how_it_ended(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    shop.history.record_deployment(Deployment("shop", "production", shop.shas[0], "x", Outcome.FROZEN, now, now))

    def busy(*_: object) -> None:
        raise ClusterError("database is locked")

    monkeypatch.setattr("infraaudit.deploying.deploy.supersede_held", busy)
    assert shop.deliver(1).outcome is Outcome.DEPLOYED
    row = shop.history.last_deployment("shop", "production", shop.shas[1])
    assert row and row.outcome is Outcome.DEPLOYED


def test_other_manifests_of_the_live_commit_that_fail_are_put_back(shop: Shop) -> None:
    shop.deliver(0)
    shop.target.bad_manifests = {"kind: Broken"}
    bad = shop.deliver(0, manifests="kind: Broken")
    assert (bad.outcome, shop.target.applied) == (Outcome.ROLLED_BACK, 3)
    live = shop.history.live("shop", "production")
    assert live and live.manifests == ""


def test_a_rejected_commit_is_deployed_by_nobody_until_that_is_taken_back(shop: Shop) -> None:
    history, shas = shop.history, shop.shas
    for number in (0, 1, 2):
        shop.deliver(number)
    for number in (1, 3):
        reject(history, "shop", shas[number], "it loses orders", "ada")
    applied = shop.target.applied
    for by_hand in (False, True):
        kept_out = shop.deliver(3, by_hand=by_hand)
        assert kept_out.outcome is Outcome.SKIPPED and "was rejected by ada" in kept_out.reason
        assert "it loses orders" in kept_out.reason
    assert shop.target.applied == applied and shop.target.running == shas[2]
    live = history.live("shop", "production")
    assert live and (before := deployed_before(history, live)) and before.sha == shas[0], "the one between is rejected"
    with pytest.raises(NotThereError, match="is not rejected"):
        take_back(history, "shop", shas[0], "a slip", "bob")
    take_back(history, "shop", shas[3], "fixed by a setting", "bob")
    assert shop.deliver(3).outcome is Outcome.DEPLOYED
    assert set(rejected(history, "shop")) == {shas[1]} and not rejected(history, "other")
    rows = rejection_rows(history, "shop")
    assert [(row["sha"], row["taken_back_by"]) for row in rows] == [(shas[3], "bob"), (shas[1], None)]


def test_what_is_live_stays_although_it_is_rejected(shop: Shop) -> None:
    shop.deliver(0)
    reject(shop.history, "shop", shop.shas[0], "it is slow", "ada")
    assert shop.deliver(0).outcome is Outcome.UNCHANGED, "its drift is still put right"
    shop.target.bad = {shop.shas[1]}
    assert shop.deliver(1).outcome is Outcome.ROLLED_BACK
    shop.target.bad.clear()
    assert shop.deliver(2).outcome is Outcome.DEPLOYED
    assert shop.deliver(0, by_hand=True).outcome is Outcome.SKIPPED


def test_healing_ends_where_what_is_live_is_another_release_of_the_same_commit(shop: Shop) -> None:
    seen = shop.deliver(0)
    assert heal(shop.history, shop.mirror, shop.target, seen, timeout=1, on_progress=print).outcome is Outcome.UNCHANGED
    other, applied = shop.deliver(0, manifests="kind: Service"), shop.target.applied
    ended = heal(shop.history, shop.mirror, shop.target, seen, timeout=1, on_progress=print)
    assert ended.outcome is Outcome.SUPERSEDED and shop.target.applied == applied
    assert shop.history.live("shop", "production") == other
