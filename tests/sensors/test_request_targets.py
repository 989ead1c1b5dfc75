"""A verdict is one for a target branch: who may change that cannot take it along."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from infraaudit.forge.request_judging import judge_head
from infraaudit.forge.requests import take_request
from infraaudit_domain.errors import RepositoryError
from infraaudit_domain.forge.change_requests import RequestState
from resources.dagster.resources import HistoryResource
from resources.history.forge.change_requests import known_request
from sensors import requests
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding
from tests.sensors.requesting import Shop
from tests.sensors.test_commits import SHIPPED


@pytest.fixture
def shop(repository: Repository, tmp_path: Path) -> Iterator[Shop]:
    """A shop whose request 7 brings something bad to main, and nothing new to a branch that has it."""
    requests._not_before.clear()
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster/dagster.yaml").write_text(SHIPPED.read_text())
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        made = Shop(repository, tmp_path, instance)
        head = made.branch("2")
        repository.git("branch", "--quiet", "permissive", head)
        made.mirror.fetch()
        made.scanned(made.base)
        made.scanned(head, finding("bad"))
        made.tested(head)
        made.tell(head, target_branch="permissive")
        made.tick()
        yield made


def head_of(shop: Shop) -> str:
    return known_request(shop.history, "shop", 7).request.head


def test_another_target_is_judged_anew_and_nothing_is_said_until_then(shop: Shop) -> None:
    before = shop.row["verdict"], shop.said["request"][0]
    shop.tell(head_of(shop), target_branch="main")
    assert (shop.row["verdict"], shop.said["request"][0]) == ("pending", "pending") and before[1] != "pending"
    shop.tick()
    assert (shop.row["verdict"], shop.row["base"], shop.said["request"][0]) == ("fails", shop.base, "failure")


def test_what_one_request_cannot_have_the_others_do_not_wait_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    good = shop.branch("4", "other")
    shop.mirror.fetch()
    seen = known_request(shop.history, "shop", 7).request
    assert take_request(shop.history, shop.project, replace(seen, number=8, head=good, source_branch="other"))
    shop.tell(head_of(shop), target_branch="main")
    judge = judge_head

    def broken(*given: Any) -> Any:
        if given[3].number == 7:
            raise RepositoryError("this one alone")
        return judge(*given)

    monkeypatch.setattr(requests, "judge_head", broken)
    assert shop.tick() == [("shop_request", good)]
    assert shop.tick() == [("shop_request", good)], "the tick before died with what it asked for"
    shop.run()
    assert shop.tick() == []


def test_of_two_requests_with_one_head_the_worst_is_shown_until_it_is_closed(shop: Shop) -> None:
    head, first = head_of(shop), shop.said["request"]
    second = replace(known_request(shop.history, "shop", 7).request, number=8, target_branch="main")
    assert take_request(shop.history, shop.project, second)
    assert shop.said["request"][0] in ("pending", first[0]) and shop.said["request"][0] != "success"
    shop.tick()
    assert shop.said["request"][0] == "failure"
    shop.tell(head, title="judged again", target_branch="permissive")
    assert shop.said["request"][0] == "failure"
    closed = replace(second, state=RequestState.CLOSED)
    assert take_request(shop.history, shop.project, closed)
    assert shop.said["request"] == first


def test_a_gate_file_that_is_wrong_for_a_while_is_no_verdict(shop: Shop, tmp_path: Path) -> None:
    shop.tell(head_of(shop), target_branch="main")
    good = shop.stored
    (tmp_path / "gate.yaml").write_text("new: [")
    shop.stored = HistoryResource(url=good.url, gate_file=str(tmp_path / "gate.yaml"))
    shop.tick()
    assert shop.row["verdict"] == "pending"
    shop.stored = good
    shop.tick()
    assert shop.row["verdict"] == "fails"
