"""The outbox of forges, on both databases: the newest status of a context is sent, once, and nothing waits for ever."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.forge.statuses import EXPECTED, CommitStatus, StatusState
from resources.history import History, schema
from resources.history.forge.expected import end_expected, end_overdue, expect_statuses, pending_since
from resources.history.forge.faults import clear_fault, faults, note_fault
from resources.history.forge.statuses import (
    LEASE,
    drop_oldest,
    give_up_status,
    newest_statuses,
    postpone_status,
    projects_due,
    settle_status,
    statuses_of_commit,
    take_status,
    want_statuses,
)
from resources.history.retention import prune_messages
from tests.resources.databases import DATABASES, fresh_history

SHA, OTHER = "a" * 40, "b" * 40
PENDING, SUCCESS, FAILURE, ERROR = StatusState


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


def status(state: StatusState, words: str = "", context: str = "infraaudit/shop/tests") -> CommitStatus:
    return CommitStatus(context, state, words)


def now() -> datetime:
    return datetime.now(UTC)


def sent(history: History, project: str = "shop") -> list[tuple[str, str, str]]:
    """Take and settle whatever is due."""
    found = []
    while taken := take_status(history, project, now()):
        settle_status(history, taken, now())
        if not taken.is_sent:
            found.append((taken.sha, taken.status.context, taken.status.state.value))
    return found


def test_a_newer_status_replaces_one_that_is_not_sent_and_each_is_sent_once(history: History) -> None:
    assert want_statuses(history, "shop", SHA, [status(PENDING)]) == 1
    assert want_statuses(history, "shop", SHA, [status(PENDING)]) == 0
    assert want_statuses(history, "shop", SHA, [status(SUCCESS)]) == 1
    assert sent(history) == [(SHA, "infraaudit/shop/tests", "success")]
    assert sent(history) == [] and projects_due(history, now()) == []


def test_one_that_is_wanted_while_another_is_sent_comes_after_it(history: History) -> None:
    want_statuses(history, "shop", SHA, [status(PENDING)])
    taken = take_status(history, "shop", now())
    assert taken is not None
    want_statuses(history, "shop", SHA, [status(SUCCESS)])
    assert take_status(history, "shop", now()) is None, "the first is still under way"
    settle_status(history, taken, now())
    assert sent(history) == [(SHA, "infraaudit/shop/tests", "success")]


def test_what_a_dead_sender_took_is_sent_again_even_where_it_was_shown_before(history: History) -> None:
    want_statuses(history, "shop", SHA, [status(SUCCESS)])
    assert sent(history)
    want_statuses(history, "shop", SHA, [status(FAILURE)])
    assert take_status(history, "shop", now())
    want_statuses(history, "shop", SHA, [status(SUCCESS)])
    after = take_status(history, "shop", now() + LEASE + timedelta(seconds=1))
    assert after is not None and after.status.state is SUCCESS and not after.is_sent


def test_what_a_forge_shows_already_is_not_sent_again(history: History) -> None:
    want_statuses(history, "shop", SHA, [status(SUCCESS)])
    assert sent(history)
    want_statuses(history, "shop", SHA, [status(FAILURE)])
    want_statuses(history, "shop", SHA, [status(SUCCESS)])
    assert sent(history) == []


def test_statuses_are_taken_in_the_order_in_which_they_were_wanted(history: History) -> None:
    for sha in (OTHER, SHA):
        want_statuses(history, "shop", sha, [status(SUCCESS)])
    want_statuses(history, "other", SHA, [status(SUCCESS)])
    assert [sha for sha, _, _ in sent(history)] == [OTHER, SHA]
    assert projects_due(history, now()) == ["other"]


def test_several_senders_share_what_there_is(history: History) -> None:
    for number in range(6):
        want_statuses(history, "shop", f"{number:040}", [status(SUCCESS)])
    with ThreadPoolExecutor(3) as pool:
        found = [one for part in pool.map(lambda _: sent(history), range(3)) for one in part]
    assert sorted(sha for sha, _, _ in found) == [f"{number:040}" for number in range(6)]


def test_a_run_is_expected_once_and_never_takes_back_what_is_known(history: History) -> None:
    expect_statuses(history, "shop", [SHA])
    expect_statuses(history, "shop", [SHA, OTHER])
    assert len(statuses_of_commit(history, "shop", SHA)) == len(EXPECTED)
    want_statuses(history, "shop", SHA, [status(SUCCESS, "1 of 1 passed")])
    expect_statuses(history, "shop", [SHA])
    end_expected(history, "shop", SHA)
    states = {one.context.rpartition("/")[2]: one.state for one in statuses_of_commit(history, "shop", SHA)}
    assert states == {"image": ERROR, "scan": ERROR, "tests": SUCCESS}


def test_a_commit_that_ran_before_there_was_a_forge_is_not_queued(history: History) -> None:
    shas = [f"{number:040}" for number in range(1001)]
    for sha in (shas[0], shas[-1]):
        history.record_stage("shop", sha, "docker_image", StageOutcome.SUCCEEDED, now(), now(), "run")
    history.record_stage("other", shas[1], "docker_image", StageOutcome.SUCCEEDED, now(), now(), "run")
    expect_statuses(history, "shop", shas, ["scan"])
    shown = {row["sha"] for row in history.rows(sa.select(schema.commit_statuses.c.sha))}
    assert shown == set(shas[1:-1])


def test_of_a_stage_that_did_run_nobody_says_that_it_was_not_run(history: History) -> None:
    expect_statuses(history, "shop", [SHA])
    want_statuses(history, "shop", SHA, [status(PENDING, "Being deployed", "infraaudit/shop/deploy-production")])
    history.record_stage("shop", SHA, "docker_image", StageOutcome.FAILED, now(), now(), "run")
    end_expected(history, "shop", SHA)
    states = {one.context.rpartition("/")[2]: one.state for one in statuses_of_commit(history, "shop", SHA)}
    assert states == {"deploy-production": PENDING, "image": PENDING, "scan": ERROR, "tests": ERROR}


def test_whatever_is_pending_ends_unless_it_waits_for_people(history: History) -> None:
    said = {"Tried again": ERROR, "Being deployed to a": ERROR, "Waits for the end of a freeze of a": PENDING}
    for context, words in enumerate(said):
        want_statuses(history, "shop", SHA, [status(PENDING, words, f"infraaudit/shop/{context}")])
    end_overdue(history, ["shop"], now() + timedelta(seconds=1))
    assert [one.state for one in statuses_of_commit(history, "shop", SHA)] == list(said.values())


def test_what_its_forge_was_not_sent_is_looked_back_for(history: History) -> None:
    want_statuses(history, "shop", SHA, [status(ERROR, "Not run: its run ended before")])
    assert pending_since(history, ["shop"]) is not None
    assert sent(history) and pending_since(history, ["shop"]) is None


def test_every_writer_locks_rows_in_the_same_order(history: History) -> None:
    written: list[Any] = []

    def note(*args: Any) -> None:
        written.append(args[3] if args[5] else [args[3]])

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        expect_statuses(history, "shop", [OTHER, SHA])
        expected = [str(one) for many in written for one in many if "infraaudit/shop" in str(one)]
        written.clear()
        contexts = ("infraaudit/shop/tests", "infraaudit/shop/image")
        want_statuses(history, "shop", SHA, [status(SUCCESS, context=one) for one in contexts])
        wanted = [str(one) for many in written for one in many if "infraaudit/shop" in str(one)]
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    for rows, keys in (
        (expected, [(sha, one) for sha in (SHA, OTHER) for one in ("image", "scan", "tests")]),
        (wanted, [(SHA, "image"), (SHA, "tests")]),
    ):
        text = " ".join(rows)
        found = re.findall(r"(a{40}|b{40})\W+(?:\w+\W+)?infraaudit/shop/(\w+)", text)
        assert found == keys, text


def test_what_was_postponed_comes_after_what_is_new(history: History) -> None:
    want_statuses(history, "shop", SHA, [status(SUCCESS)])
    taken, moment = take_status(history, "shop", now()), now()
    assert taken is not None
    postpone_status(history, taken, moment, "HTTP 403", is_counted=False)
    want_statuses(history, "shop", OTHER, [status(SUCCESS)])
    later = moment + timedelta(seconds=700)
    first, second = take_status(history, "shop", later), take_status(history, "shop", later)
    assert first is not None and second is not None
    assert (first.sha, second.sha, second.attempts) == (OTHER, SHA, 0)


def test_what_nothing_came_of_ends_and_what_waits_for_people_does_not(history: History) -> None:
    expect_statuses(history, "shop", [SHA])
    want_statuses(history, "shop", OTHER, [status(PENDING, "Waits for approvals to go to production")])
    assert pending_since(history, ["shop"]) is not None and pending_since(history, ["other"]) is None
    end_overdue(history, ["shop"], now() - timedelta(hours=1))
    end_overdue(history, ["other"], now() + timedelta(hours=1))
    assert {one.state for one in statuses_of_commit(history, "shop", SHA)} == {PENDING}
    end_overdue(history, ["shop"], now() + timedelta(seconds=1))
    assert {one.state for one in statuses_of_commit(history, "shop", SHA)} == {ERROR}
    assert {one.state for one in statuses_of_commit(history, "shop", OTHER)} == {PENDING}


def test_what_is_refused_waits_longer_each_time_or_ends(history: History) -> None:
    want_statuses(history, "shop", SHA, [status(SUCCESS)])
    moment, waits = now(), []
    for _ in range(9):
        taken = take_status(history, "shop", moment)
        assert taken is not None
        postpone_status(history, taken, moment, "HTTP 404")
        due = history.rows(sa.select(schema.commit_statuses.c.due_at))[0]["due_at"]
        waits.append((due - moment).total_seconds())
        assert projects_due(history, moment) == [] and projects_due(history, due) == ["shop"]
        moment = due
    assert waits[:4] == [2, 4, 8, 16] and waits[-1] == 300
    last = take_status(history, "shop", moment)
    assert last is not None
    give_up_status(history, last, moment, "HTTP 422")
    assert projects_due(history, moment + timedelta(days=1)) == []
    assert [row["sent"] for row in newest_statuses(history, "shop", 5)] == [False]


def test_of_too_many_the_newest_wait(history: History) -> None:
    for number in range(10):
        want_statuses(history, "shop", f"{number:040}", [status(SUCCESS)])
    assert drop_oldest(history, "shop", 4) == 6 and drop_oldest(history, "shop", 4) == 0
    assert [sha for sha, _, _ in sent(history)] == [f"{number:040}" for number in range(6, 10)]


def test_a_forge_that_takes_nothing_is_left_alone_and_is_news_once(history: History) -> None:
    want_statuses(history, "shop", SHA, [status(SUCCESS)])
    want_statuses(history, "other", SHA, [status(SUCCESS)])
    moment = now()
    assert note_fault(history, "shop", "HTTP 401", moment, 600)
    assert projects_due(history, moment) == ["other"], "another project's goes on"
    assert not note_fault(history, "shop", "HTTP 401", moment, None)
    assert faults(history)["shop"].attempts == 2 and faults(history)["shop"].since == moment
    assert sorted(projects_due(history, moment + timedelta(seconds=5))) == ["other", "shop"]
    assert clear_fault(history, "shop") and not clear_fault(history, "shop")


def test_retention_deletes_what_was_sent_and_keeps_what_waits(history: History) -> None:
    want_statuses(history, "shop", SHA, [status(SUCCESS)])
    assert sent(history)
    want_statuses(history, "shop", OTHER, [status(SUCCESS)])
    assert prune_messages(history, "shop", now() + timedelta(days=1)) == 1
    assert [row["sha"] for row in newest_statuses(history, "shop", 5)] == [OTHER]
