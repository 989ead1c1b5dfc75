"""Requests on both databases: deliveries in any order, heads that are let in, and what is shown of them."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit_domain.errors import NotThereError
from infraaudit_domain.forge.change_requests import ChangeRequest, RequestState
from infraaudit_domain.forge.request_verdicts import RequestResult, RequestVerdict
from resources.history import History
from resources.history.forge import change_requests
from resources.history.forge.change_requests import (
    allow_head,
    known_request,
    note_started,
    record_verdict,
    request_rows,
    requests_of_head,
    store_request,
    unjudged_requests,
)
from resources.history.forge.comments import comment_row, want_comment
from resources.history.retention import prune_messages
from tests.resources.databases import DATABASES, fresh_history

HEAD, LATER = "a" * 40, "b" * 40
NOW = datetime(2026, 3, 1, tzinfo=UTC)
OURS = ChangeRequest(7, "t", "ada", RequestState.OPEN, HEAD, "group/shop", "topic", "main", False, NOW)
FORK = replace(OURS, is_fork=True, source_repository="stranger/shop")


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


def at(seconds: int, **changed: object) -> ChangeRequest:
    return replace(OURS, changed_at=NOW + timedelta(seconds=seconds), **changed)


def test_deliveries_in_any_order_and_twice_end_in_the_newest(history: History) -> None:
    told = [at(0), at(1, head=LATER), at(2, head=LATER, title="a new title"), at(3, state=RequestState.CLOSED)]
    for seed in range(5):
        number = 10 + seed
        for one in random.Random(seed).sample(told * 2, 8):
            store_request(history, "shop", replace(one, number=number))
        assert known_request(history, "shop", number).request == replace(told[3], number=number)
    assert unjudged_requests(history, "shop") == []
    assert not store_request(history, "shop", replace(told[0], number=10))
    assert store_request(history, "shop", replace(at(9), number=10)), "it was opened again"
    assert [known.request.number for known in unjudged_requests(history, "shop")] == [10]


def test_deliveries_at_the_same_time_end_in_the_newest(history: History) -> None:
    told = [at(second, title=f"title {second}") for second in range(20)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: store_request(history, "shop", one), random.Random(0).sample(told, 20)))
    assert known_request(history, "shop", 7).request == told[-1]


def test_what_is_known_of_a_head_outlives_a_new_title_and_not_a_new_head(history: History) -> None:
    store_request(history, "shop", OURS)
    note_started(history, "shop", 7, HEAD)
    record_verdict(history, "shop", OURS, RequestVerdict(LATER, RequestResult.FAILS, "why", 2, 1, 3))
    store_request(history, "shop", at(1, title="a new title"))
    (row,) = request_rows(history, "shop")
    assert (row["title"], row["verdict"], row["new"], row["fixed"], row["not_live"]) == (
        "a new title",
        "fails",
        2,
        1,
        3,
    )
    store_request(history, "shop", at(2, head=LATER))
    record_verdict(history, "shop", OURS, RequestVerdict(LATER, RequestResult.PASSES, ""))
    (row,) = request_rows(history, "shop")
    assert (row["verdict"], row["new"], row["base"]) == ("pending", None, None)


def test_what_was_found_counts_for_its_target_branch_alone(history: History) -> None:
    store_request(history, "shop", OURS)
    passes = RequestVerdict(LATER, RequestResult.PASSES, "")
    assert record_verdict(history, "shop", OURS, passes)
    assert [one.found for one in requests_of_head(history, "shop", HEAD)] == [passes]
    other = at(1, target_branch="release")
    store_request(history, "shop", other)
    assert request_rows(history, "shop")[0]["verdict"] == "pending"
    assert not record_verdict(history, "shop", OURS, passes), "it was judged for the branch before"
    assert [one.found for one in requests_of_head(history, "shop", HEAD)] == [None]
    assert requests_of_head(history, "shop", LATER) == []


def test_a_fork_waits_again_with_every_head(history: History) -> None:
    store_request(history, "shop", FORK)
    assert request_rows(history, "shop")[0]["verdict"] == "waits"
    assert not allow_head(history, "shop", 7, LATER, "eve"), "not what is there"
    assert allow_head(history, "shop", 7, HEAD, "eve")
    assert [(row["verdict"], row["allowed_by"]) for row in request_rows(history, "shop")] == [("pending", "eve")]
    store_request(history, "shop", replace(FORK, head=LATER, changed_at=NOW + timedelta(seconds=1)))
    assert [(row["verdict"], row["allowed_by"]) for row in request_rows(history, "shop")] == [("waits", "")]
    assert not allow_head(history, "shop", 7, HEAD, "eve"), "that head is gone"


def test_only_what_is_to_be_judged_is_looked_at_however_many_strangers_wait(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_requests, "MOST_AT_ONCE", 2)
    store_request(history, "shop", replace(OURS, number=1))
    for number in range(2, 9):
        store_request(history, "shop", replace(FORK, number=number, changed_at=NOW + timedelta(seconds=number)))
    assert [one.request.number for one in unjudged_requests(history, "shop")] == [1]
    assert allow_head(history, "shop", 3, HEAD, "eve")
    assert [one.request.number for one in unjudged_requests(history, "shop")] == [3, 1]
    record_verdict(history, "shop", replace(OURS, number=1), RequestVerdict(LATER, RequestResult.PASSES, ""))
    assert [one.request.number for one in unjudged_requests(history, "shop")] == [3]
    store_request(history, "shop", replace(at(20, target_branch="release"), number=1))
    assert [one.request.number for one in unjudged_requests(history, "shop")] == [1, 3], "for another branch it is not"


def test_a_closed_one_is_let_in_no_more(history: History) -> None:
    store_request(history, "shop", replace(FORK, state=RequestState.CLOSED))
    assert not allow_head(history, "shop", 7, HEAD, "eve")
    assert request_rows(history, "shop")[0]["verdict"] == ""


def test_requests_of_projects_and_states_are_told_apart(history: History) -> None:
    store_request(history, "shop", OURS)
    store_request(history, "shop", replace(OURS, number=8, state=RequestState.MERGED))
    store_request(history, "bank", OURS)
    assert [row["number"] for row in request_rows(history, "shop", "merged")] == [8]
    assert len(request_rows(history, "shop")) == 2
    with pytest.raises(NotThereError, match="no request 9"):
        known_request(history, "shop", 9)


def test_why_a_head_cannot_be_read_is_shown_until_it_is_started(history: History) -> None:
    store_request(history, "shop", OURS)
    note_started(history, "shop", 7, HEAD, "no such commit")
    assert request_rows(history, "shop")[0]["reason"] == "no such commit"
    assert known_request(history, "shop", 7).started_head == ""
    note_started(history, "shop", 7, HEAD)
    assert request_rows(history, "shop")[0]["reason"] == "" and known_request(history, "shop", 7).started_head == HEAD


def test_old_requests_are_pruned_once_they_are_closed(history: History) -> None:
    store_request(history, "shop", OURS)
    store_request(history, "shop", replace(OURS, number=8, state=RequestState.CLOSED))
    store_request(history, "bank", replace(OURS, number=9, state=RequestState.CLOSED))
    for number in (7, 8):
        want_comment(history, "shop", number, "what was found")
    assert prune_messages(history, "shop", NOW) == 0, "not yet"
    assert prune_messages(history, "shop", NOW + timedelta(seconds=1)) == 1
    assert [row["number"] for row in request_rows(history, "shop")] == [7]
    assert [row["number"] for row in request_rows(history, "bank")] == [9]
    assert comment_row(history, "shop", 7) and comment_row(history, "shop", 8) is None
