"""Attempts that were cut off: what the next one finds, puts in order, and takes up."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from infraaudit.deploying.cut_off import lock_of
from infraaudit.deploying.look import look_after
from infraaudit_domain.delivery.deployments import Deployment, Outcome, Release, Rollout
from infraaudit_domain.errors import (
    ClusterError,
)
from infraaudit_domain.projects import Project
from resources.history.decisions.rejections import reject
from resources.history.deployments import (
    cut_off,
    deployments,
    last_tried,
)
from resources.history.queries.environments import dora
from resources.machine.locks import locked_within
from tests.infraaudit.deploying.scripted_shop import ScriptedTarget, Shop


class KilledTarget(ScriptedTarget):
    """Is killed in the middle of the commits that are named, and notes what it is to put in order."""

    def __init__(self, killed: set[str]) -> None:
        super().__init__()
        self.killed, self.put_in_order = killed, list[tuple[str, str, str]]()

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        if release.sha in self.killed:
            self.running = release.sha
            raise KeyboardInterrupt
        return super().deploy(release, timeout=timeout, on_progress=on_progress)

    def tidy(self, killed: Release, since: datetime, stays: Release | None, live: Release | None) -> list[str]:
        self.put_in_order.append(tuple(one.sha if one else "" for one in (killed, stays, live)))
        return ["ConfigMap/half is removed"]


@pytest.mark.parametrize("is_bad", [False, True])
def test_a_killed_attempt_leaves_a_row_and_the_next_one_puts_in_order_what_it_left(shop: Shop, is_bad: bool) -> None:
    zero, one, two, three, _ = shop.shas
    shop.target = target = KilledTarget({one, two})
    shop.deliver(0, manifests="zero")
    for number in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            shop.deliver(number, manifests=f"of {number}")
        row = shop.history.last_deployment("shop", "production", shop.shas[number])
        assert row and (row.outcome, row.manifests) == (Outcome.RUNNING, f"of {number}")
    target.bad = {three} if is_bad else set()
    done = shop.deliver(3, manifests="three")
    assert done.outcome is (Outcome.ROLLED_BACK if is_bad else Outcome.DEPLOYED)
    stays = zero if is_bad else three
    assert target.put_in_order == [(one, stays, zero), (two, stays, zero)]
    assert f"ConfigMap/half is removed (of {one[:12]}, which was cut off)" in done.reason
    rows = [d.outcome for d in deployments(shop.history, "shop") if d.sha in (one, two)]
    assert rows == [Outcome.INTERRUPTED] * 2, "each attempt has one row"
    assert dora(shop.history, "shop", "production", datetime.now(UTC)).attempts == 2
    target.bad, target.put_in_order = set(), []
    shop.deliver(4, manifests="four")
    assert target.put_in_order == [], "it was put in order"


@pytest.mark.parametrize("way_back", [Outcome.SKIPPED, Outcome.DEGRADED, Outcome.INTERRUPTED])
def test_what_was_cut_off_and_is_then_kept_out_does_not_stay_in_place(shop: Shop, way_back: Outcome) -> None:
    zero, one, *_ = shop.shas
    shop.target = target = KilledTarget({one})
    shop.deliver(0, manifests="zero")
    with pytest.raises(KeyboardInterrupt):
        shop.deliver(1, manifests="one")
    assert target.running == one
    reject(shop.history, "shop", one, "loses orders", "bob")
    target.bad = {zero} if way_back is Outcome.DEGRADED else set()
    target.error = ClusterError("no answer") if way_back is Outcome.INTERRUPTED else None
    target.killed = set()
    if way_back is Outcome.INTERRUPTED:
        with pytest.raises(ClusterError):
            shop.deliver(1, manifests="one")
        target.error, way_back = None, Outcome.SKIPPED
    done = shop.deliver(1, manifests="one")
    assert (done.outcome, target.running) == (way_back, zero) and "loses orders" in done.reason
    assert f"{one[:12]} had been cut off" in done.reason
    if way_back is Outcome.SKIPPED:
        assert set(target.put_in_order) == {(one, zero, zero)}
    live = shop.history.live("shop", "production")
    assert live and live.sha == zero


def test_an_attempt_that_is_resumed_is_not_put_in_order(shop: Shop) -> None:
    shop.target = target = KilledTarget({shop.shas[1]})
    shop.deliver(0)
    with pytest.raises(KeyboardInterrupt):
        shop.deliver(1, manifests="one")
    target.killed = set()
    assert shop.deliver(1, manifests="one").outcome is Outcome.DEPLOYED and target.put_in_order == []


class RefusingTarget(ScriptedTarget):
    """Refuses all but the first commit before it changes anything."""

    accepted: str = ""

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        if self.error is None and release.sha != self.accepted:
            return Rollout(False, "it fits no schema", changed=False)
        return super().deploy(release, timeout=timeout, on_progress=on_progress)


def test_a_refusal_after_an_attempt_that_was_cut_off_puts_back_what_is_live(shop: Shop) -> None:
    shop.target = target = RefusingTarget()
    target.accepted = shop.shas[0]
    shop.deliver(0)
    assert (shop.deliver(1).outcome, target.applied) == (Outcome.FAILED, 1), "nothing was changed"
    target.error = ClusterError("no answer")
    with pytest.raises(ClusterError):
        shop.deliver(1)
    target.error = None
    assert (shop.deliver(1).outcome, target.applied) == (Outcome.ROLLED_BACK, 2)


class KeepingTarget(ScriptedTarget):
    """Keeps the releases that it was asked to deploy."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Release] = []

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        self.asked.append(release)
        return super().deploy(release, timeout=timeout, on_progress=on_progress)


def test_an_attempt_resumes_only_one_of_its_own_commit_that_was_cut_off_and_never_healthy(shop: Shop) -> None:
    shop.target = target = KeepingTarget()
    for number, is_cut_off, resumes in [
        (0, True, False), (0, False, True),  # The second try of the first.
        (1, True, False), (2, False, False),  # Another commit.
        (0, True, False), (0, False, False),  # It was healthy once: what bears its commit may be of then.
    ]:  # fmt: skip
        target.error = ClusterError("no answer") if is_cut_off else None
        if is_cut_off:
            with pytest.raises(ClusterError):
                shop.deliver(number, by_hand=True)
        else:
            shop.deliver(number, by_hand=True)
        assert target.asked[-1].resumes is resumes


def test_what_never_reached_a_target_hides_nothing_of_what_an_attempt_before_it_left(shop: Shop) -> None:
    now = datetime.now(UTC)
    for sha, target, done in ((shop.shas[0], "scripted", Outcome.RUNNING), (shop.shas[1], "none", Outcome.FAILED)):
        shop.history.record_deployment(
            Deployment("shop", "production", sha, target, done, now, now, manifests="kind: A")
        )
    assert [one.sha for one in cut_off(shop.history, "shop", "production")] == [shop.shas[0]]
    assert last_tried(shop.history, "shop", "production") is None


def test_of_many_attempts_that_failed_alike_one_is_put_in_order_and_of_many_others_the_newest(shop: Shop) -> None:
    shop.target = target = KilledTarget(set())
    shop.deliver(0, manifests="zero")
    began = datetime.now(UTC) - timedelta(hours=1)
    for number in range(40):
        sha = shop.shas[1] if number < 30 else f"{number:040x}"
        failed = Deployment("shop", "production", sha, "scripted", Outcome.FAILED, began, began, manifests="kind: A")
        shop.history.record_deployment(replace(failed, started_at=began + timedelta(minutes=number)))
    assert len(cut_off(shop.history, "shop", "production")) <= 20
    shop.deliver(2, manifests="two")
    order = [sha for sha, _, _ in target.put_in_order]
    assert order == [shop.shas[1], *(f"{number:040x}" for number in range(30, 40))]


@pytest.mark.parametrize("is_held", [False, True])
def test_an_attempt_that_is_dead_is_closed_with_the_reason_by_a_look_unless_somebody_has_its_lock(
    shop: Shop, is_held: bool
) -> None:
    zero, one, *_ = shop.shas
    project = Project("shop", "/x")
    shop.deliver(0)
    began = datetime.now(UTC) - timedelta(hours=2)
    shop.history.record_deployment(
        Deployment("shop", "production", one, "scripted", Outcome.RUNNING, began, began, manifests="kind: A")
    )
    with locked_within(lock_of(shop.mirror, "shop", "production"), 0) if is_held else nullcontext():
        look = look_after(
            shop.history, shop.mirror, project, project.environment, lambda live: shop.target,
            healed_before="", timeout=1, on_progress=lambda line: None,
        )  # fmt: skip
    rows = {row.sha: row for row in deployments(shop.history, "shop")}
    assert len(rows) == 2 and look and look.sha == zero
    if is_held:
        assert rows[one].outcome is Outcome.RUNNING
    else:
        assert rows[one].outcome is Outcome.INTERRUPTED and "It was killed" in rows[one].reason
