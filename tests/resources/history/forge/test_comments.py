"""The outbox of comments on both databases: the newest text, one sender at a time, and whose comment it is."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from resources.history import History
from resources.history.forge.comments import (
    LEASE,
    TakenComment,
    comment_row,
    comments_due,
    forget_comment,
    give_up_comment,
    newest_comments,
    postpone_comment,
    settle_comment,
    take_comment,
    want_comment,
)
from resources.history.forge.faults import forget_other_forges, note_fault
from tests.resources.databases import DATABASES, fresh_history


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


def now(after: timedelta = timedelta()) -> datetime:
    return datetime.now(UTC) + after


def taken(history: History, after: timedelta = timedelta()) -> TakenComment:
    found = take_comment(history, "shop", now(after))
    assert found is not None
    return found


def test_the_same_text_is_wanted_once_and_another_replaces_it(history: History) -> None:
    assert want_comment(history, "shop", 7, "first") and not want_comment(history, "shop", 7, "first")
    assert want_comment(history, "shop", 7, "second") and want_comment(history, "bank", 7, "other")
    assert sorted(comments_due(history, now())) == ["bank", "shop"]
    one = taken(history)
    assert (one.text, one.comment_id, one.was_tried) == ("second", "", False)
    assert [row["sent"] for row in newest_comments(history, "shop", 9)] == [False]
    settle_comment(history, one, "1001", now())
    (row,) = newest_comments(history, "shop", 9)
    assert row["sent"] and row["context"] == "comment of request 7"
    assert comments_due(history, now()) == ["bank"] and take_comment(history, "shop", now()) is None
    assert want_comment(history, "shop", 7, "third")
    assert (taken(history).comment_id, comment_row(history, "shop", 7)["mark"]) == ("1001", one.mark)  # type: ignore[index]


def test_a_text_that_was_wanted_while_one_was_sent_is_sent_next(history: History) -> None:
    want_comment(history, "shop", 7, "first")
    one = taken(history)
    want_comment(history, "shop", 7, "second")
    assert take_comment(history, "shop", now()) is None, "it is leased"
    settle_comment(history, one, "1001", now())
    assert (taken(history).text, comment_row(history, "shop", 7)["comment_id"]) == ("second", "1001")  # type: ignore[index]


def test_of_many_senders_one_gets_it_and_after_the_lease_it_is_known_as_tried(history: History) -> None:
    want_comment(history, "shop", 7, "first")
    with ThreadPoolExecutor(8) as pool:
        found = [one for one in pool.map(lambda _: take_comment(history, "shop", now()), range(8)) if one]
    assert len(found) == 1
    again = taken(history, LEASE + timedelta(seconds=1))
    assert again.was_tried and again.mark == found[0].mark


def test_what_is_postponed_given_up_or_deleted(history: History) -> None:
    want_comment(history, "shop", 7, "first")
    one = taken(history)
    postpone_comment(history, one, now(), "HTTP 403")
    assert take_comment(history, "shop", now()) is None
    again = taken(history, timedelta(hours=1))
    assert again.attempts == 1
    forget_comment(history, again, now(), "HTTP 404")
    anew = taken(history)
    assert anew.mark != one.mark and not anew.was_tried and anew.comment_id == ""
    give_up_comment(history, anew, now(), "HTTP 422")
    assert take_comment(history, "shop", now(timedelta(days=1))) is None
    assert want_comment(history, "shop", 7, "second") and taken(history).attempts == 0


def test_a_forge_that_is_left_alone_is_sent_none(history: History) -> None:
    want_comment(history, "shop", 7, "first")
    note_fault(history, "shop", "HTTP 429", now(), 60.0)
    assert comments_due(history, now()) == [] and take_comment(history, "shop", now()) is None
    assert comments_due(history, now(timedelta(minutes=2))) == ["shop"]


def test_what_waits_for_a_forge_that_was_removed_is_dropped(history: History) -> None:
    for project in ("shop", "bank"):
        want_comment(history, project, 7, "first")
    forget_other_forges(history, ["bank"])
    assert comments_due(history, now()) == ["bank"]
