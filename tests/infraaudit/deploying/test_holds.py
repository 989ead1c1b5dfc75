"""Deployments that have to wait, and continue by themselves."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from infraaudit.deploying.approving import approve as let_in
from infraaudit.deploying.approving import override_freeze
from infraaudit.deploying.deploy import deploy, in_order
from infraaudit.deploying.holds import authors_of, free_to_continue, hold_of, holds
from infraaudit_domain.delivery.approvals import Approval, ApprovalRule, Leave
from infraaudit_domain.delivery.deployments import Deployment, Outcome, Release
from infraaudit_domain.delivery.freezes import Between
from infraaudit_domain.errors import NotAllowedError, NotThereError
from infraaudit_domain.projects import Environment, Project
from resources.history import History
from resources.history.decisions.approvals import approval_rows, approvals_of, approve, held_deployments, take_back
from resources.history.deployments import deployments
from resources.history.queries.environments import dora
from tests.conftest import Repository
from tests.infraaudit.deploying.scripted_shop import ScriptedTarget
from tests.resources.databases import fresh_history

NOW = datetime.now(UTC)
FROZEN = (Between(NOW - timedelta(hours=1), NOW + timedelta(hours=1), "year's end"),)
LATER = NOW + timedelta(hours=2)


class Shop:
    def __init__(self, repository: Repository, history: History) -> None:
        self.shas = [repository.write({"a": str(number)}, "a commit") for number in range(4)]
        self.mirror, self.history, self.target = repository.mirror(), history, ScriptedTarget()
        self.environment = Environment()

    @property
    def project(self) -> Project:
        return Project("shop", "/x", environments=(self.environment,))

    def deliver(self, number: int) -> Deployment:
        release = Release("shop", "production", self.shas[number], "i:1", "")
        return deploy(
            self.history, self.mirror, self.target, release, timeout=1, on_progress=lambda _: None,
            superseded=in_order(self.history, self.mirror, release),
            held=holds(self.history, self.mirror, self.project, self.environment, release.sha),
        )  # fmt: skip

    def give(self, number: int, name: str, leave: Leave = Leave.DEPLOY) -> None:
        approve(self.history, Approval("shop", "production", self.shas[number], leave, name, "looked at it", NOW))

    def following(self, now: datetime = NOW) -> str | None:
        free = free_to_continue(self.history, self.mirror, self.project, self.environment, now)
        return next((held.sha for held in free), None)


@pytest.fixture
def shop(
    repository: Repository, tmp_path: Path, needs: Callable[[str], None], request: pytest.FixtureRequest
) -> Iterator[Shop]:
    for history in fresh_history("sqlite", tmp_path, needs, request):
        yield Shop(repository, history)


def test_what_a_freeze_held_is_deployed_after_it_and_the_older_ones_are_superseded(shop: Shop) -> None:
    shop.deliver(0)
    shop.environment = replace(shop.environment, freeze=FROZEN)
    held = [shop.deliver(number) for number in (1, 2)]
    assert [one.outcome for one in held] == [Outcome.FROZEN] * 2 and "year's end" in held[0].reason
    assert (
        shop.target.running == shop.shas[0]
        and dora(shop.history, "shop", "production", datetime.now(UTC)).attempts == 1
    )
    assert shop.following() is None and shop.following(LATER) == shop.shas[2]
    shop.environment = replace(shop.environment, freeze=())
    assert shop.deliver(2).outcome is Outcome.DEPLOYED
    assert held_deployments(shop.history, "shop", "production") == [] and shop.following(LATER) is None
    last = next(one for one in deployments(shop.history, "shop") if one.sha == shop.shas[1])
    assert last.outcome is Outcome.SUPERSEDED and shop.shas[2][:12] in last.reason


def test_the_turn_is_that_of_an_older_one_where_the_newest_fails(shop: Shop) -> None:
    shop.deliver(0)
    shop.environment = replace(shop.environment, freeze=FROZEN)
    for number in (1, 3):
        shop.deliver(number)
    shop.environment, shop.target.bad = replace(shop.environment, freeze=()), {shop.shas[3]}
    assert shop.deliver(3).outcome is Outcome.ROLLED_BACK
    assert shop.following(LATER) == shop.shas[1]


def test_what_is_live_is_applied_again_in_a_freeze_and_an_override_counts_for_its_commit_alone(shop: Shop) -> None:
    shop.deliver(0)
    shop.environment = replace(shop.environment, freeze=FROZEN)
    assert shop.deliver(0).outcome is Outcome.UNCHANGED
    shop.give(2, "bob", Leave.DESPITE_FREEZE)
    assert [shop.deliver(number).outcome for number in (1, 2, 3)] == [
        Outcome.FROZEN, Outcome.DEPLOYED, Outcome.FROZEN
    ]  # fmt: skip


def test_two_people_let_a_commit_in_and_nobody_counts_twice(shop: Shop) -> None:
    shop.environment = replace(shop.environment, approval=ApprovalRule(2))
    assert shop.deliver(0).outcome is Outcome.WAITING
    for name in ("bob", "BOB", shop.mirror.commit(shop.shas[0]).author_name):
        shop.give(0, name)
    assert shop.deliver(0).outcome is Outcome.WAITING and shop.following() is None
    shop.give(0, "eve")
    assert shop.following() == shop.shas[0]
    assert shop.deliver(0).outcome is Outcome.DEPLOYED


def test_an_approval_that_was_taken_back_counts_no_longer_and_stays_a_fact(shop: Shop) -> None:
    shop.environment = replace(shop.environment, approval=ApprovalRule(1))
    shop.give(0, "bob")
    take_back(shop.history, "shop", "production", shop.shas[0], "saw a fault", "bob")
    waiting = shop.deliver(0)
    assert waiting.outcome is Outcome.WAITING and "0 of 1 approvals" in waiting.reason
    with pytest.raises(NotThereError, match="eve has given nothing"):
        take_back(shop.history, "shop", "production", shop.shas[0], "x", "eve")
    row = approval_rows(shop.history, "shop")[0]
    assert (row["approved_by"], row["taken_back_reason"]) == ("bob", "saw a fault")


def test_a_superseded_commit_does_not_wait(shop: Shop) -> None:
    shop.deliver(1)
    shop.environment = replace(shop.environment, approval=ApprovalRule(1), freeze=FROZEN)
    assert shop.deliver(0).outcome is Outcome.SUPERSEDED


def committed(repository: Repository, who: str, message: str) -> str:
    """A commit of somebody's, which somebody else committed."""
    address = f"{who.lower()}@example.org"
    repository.git("commit", "--allow-empty", f"--author={who} <{address}>", "-m", message)
    return repository.git("rev-parse", "HEAD")


def test_nobody_lets_in_their_own_work_below_a_merge_or_a_typo_fix_of_another(
    shop: Shop, repository: Repository
) -> None:
    shop.deliver(3)
    shop.environment = replace(shop.environment, approval=ApprovalRule(1))
    repository.git("switch", "-c", "side")
    committed(repository, "Mallory", "a back door\n\nCo-authored-by: Trudy Doe <7+trudy@users.noreply.example.org>")
    repository.git("switch", "main")
    repository.git("merge", "--no-ff", "-m", "merged", "side")
    shop.shas += [repository.git("rev-parse", "HEAD"), committed(repository, "Bob", "a typo")]
    shop.mirror.fetch()
    for number in (4, 5):
        for name in ("mallory", "Trudy Doe", "trudy", "ada@example.org"):
            with pytest.raises(NotAllowedError, match="its authors"):
                let_in(shop.history, shop.mirror, shop.project, shop.environment, shop.shas[number], name, "fine")
            shop.give(number, name)
        assert shop.deliver(number).outcome is Outcome.WAITING
    let_in(shop.history, shop.mirror, shop.project, shop.environment, shop.shas[4], "bob", "not of the merge")
    assert shop.deliver(4).outcome is Outcome.DEPLOYED
    let_in(shop.history, shop.mirror, shop.project, shop.environment, shop.shas[5], "mallory", "hers is live already")
    assert shop.deliver(5).outcome is Outcome.DEPLOYED


def test_where_nothing_is_live_the_commit_alone_counts_and_where_that_is_lost_what_was_before(
    shop: Shop, repository: Repository
) -> None:
    bob = committed(repository, "Bob", "his")
    eve = committed(repository, "Eve", "hers")
    shop.mirror.fetch()
    of = partial(authors_of, shop.history, shop.mirror, shop.project, shop.environment)
    assert of(eve) == {"eve", "eve@example.org", "ada", "ada@example.org"}, "who committed it counts, too"
    now = datetime.now(UTC)
    for lost in ("f" * 40, "e" * 40):
        shop.history.record_deployment(Deployment("shop", "production", lost, "x", Outcome.DEPLOYED, now, now))
        assert {"bob", "eve"} <= of(eve)
    shop.history.record_deployment(Deployment("shop", "production", bob, "x", Outcome.DEPLOYED, now, now))
    shop.history.record_deployment(Deployment("shop", "production", "d" * 40, "x", Outcome.DEPLOYED, now, now))
    assert "bob" not in of(eve) and "bob" in of(bob), "what is live, and is put back, has its own author"


def test_an_override_counts_by_the_rule_of_now_and_until_its_freeze_ends(shop: Shop) -> None:
    next_one = Between(NOW + timedelta(hours=3), NOW + timedelta(hours=5), "the next one")
    shop.environment = replace(shop.environment, freeze=(*FROZEN, next_one))
    shop.give(2, "bob", Leave.DESPITE_FREEZE)
    hold = partial(hold_of, shop.history, shop.mirror, shop.project)
    assert hold(shop.environment, shop.shas[2], NOW) is None
    later = hold(shop.environment, shop.shas[2], NOW + timedelta(hours=4))
    assert later and later.outcome is Outcome.FROZEN, "it was given for another freeze"
    only_eve = replace(shop.environment, approval=ApprovalRule(0, ("eve",)))
    now = hold(only_eve, shop.shas[2], NOW)
    assert now and now.outcome is Outcome.FROZEN, "bob is no approver any longer"


def test_an_override_is_recorded_in_a_freeze_alone(shop: Shop) -> None:
    for freeze, count in (((), 0), (FROZEN, 1)):
        shop.environment = replace(shop.environment, freeze=freeze)
        override_freeze(shop.history, shop.project, shop.environment, shop.shas[1], "bob", "a hole")
        assert len(approval_rows(shop.history, "shop")) == count


def test_who_takes_back_is_known_whatever_the_case_of_the_name(shop: Shop) -> None:
    shop.give(1, "Straße Bob")
    take_back(shop.history, "shop", "production", shop.shas[1], "saw a fault", "STRASSE  bob")
    assert approvals_of(shop.history, "shop", "production", shop.shas[1]) == []
