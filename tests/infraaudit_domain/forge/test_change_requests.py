"""Which of two deliveries counts, and what may be done with a head."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from infraaudit_domain.forge.change_requests import ChangeRequest, RequestState, Step, head_ref, is_newer, next_step
from infraaudit_domain.reporting.forge_address import ForgeKind

HEAD, LATER = "a" * 40, "b" * 40
NOW = datetime(2026, 3, 1, tzinfo=UTC)
OURS = ChangeRequest(7, "t", "ada", RequestState.OPEN, HEAD, "group/shop", "topic", "main", False, NOW)
FORK = replace(OURS, is_fork=True, source_repository="stranger/shop")


def test_an_older_one_never_replaces_a_newer_one() -> None:
    older, newer = OURS, replace(OURS, head=LATER, changed_at=NOW + timedelta(seconds=1))
    assert is_newer(newer, older) and not is_newer(older, newer)


def test_of_two_that_are_equally_old_the_closed_one_counts() -> None:
    closed = replace(OURS, state=RequestState.CLOSED)
    assert is_newer(closed, OURS) and not is_newer(OURS, closed)
    assert is_newer(OURS, OURS)


@pytest.mark.parametrize(
    ("request_", "allowed", "started", "step"),
    [
        (OURS, "", "", Step.RUN),
        (OURS, "", HEAD, Step.NOTHING),
        (replace(OURS, head=LATER), "", HEAD, Step.RUN),
        (FORK, "", "", Step.WAIT),
        (FORK, HEAD, "", Step.SCAN),
        (FORK, HEAD, HEAD, Step.NOTHING),
        (replace(FORK, head=LATER), HEAD, HEAD, Step.WAIT),
        (replace(FORK, state=RequestState.CLOSED), HEAD, "", Step.NOTHING),
        (replace(OURS, state=RequestState.MERGED), "", "", Step.NOTHING),
    ],
)
def test_a_fork_waits_for_a_member_with_every_head_and_is_never_run(
    request_: ChangeRequest, allowed: str, started: str, step: Step
) -> None:
    assert next_step(request_, allowed, started) is step


def test_bitbucket_cloud_alone_shows_no_heads_of_forks() -> None:
    assert [kind for kind in ForgeKind if head_ref(kind, 7) is None] == [ForgeKind.BITBUCKET]
    assert head_ref(ForgeKind.GITLAB, 7) == "refs/merge-requests/7/head"
