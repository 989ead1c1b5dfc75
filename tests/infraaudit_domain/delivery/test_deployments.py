"""Which commits are deployed to an environment automatically."""

from datetime import UTC, datetime, timedelta

import pytest

from infraaudit_domain.delivery.deployments import Deployment, Outcome, Watched, superseded_by

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def healthy(*steps: str) -> list[Deployment]:
    """Deployments of a straight history of one-letter commits, newest first: each replaced the one before."""
    found = [
        Deployment("p", "e", sha, "t", Outcome.DEPLOYED, NOON, NOON, replaced_sha=before)
        for before, sha in zip([None, *steps], steps, strict=False)
    ]
    return found[::-1]


@pytest.mark.parametrize(
    ("steps", "sha", "reason"),
    [
        ("", "a", ""),
        ("ab", "c", ""),
        ("ab", "b", ""),
        ("ac", "b", "newer commit c is live"),
        ("abca", "c", "a was put back by hand in place of c"),
        ("abca", "b", "a was put back by hand in place of c"),
        ("abca", "d", ""),
        ("abcba", "c", "a was put back by hand in place of c"),
        ("abcaa", "c", "a was put back by hand in place of c"),
        ("abcad", "c", "newer commit d is live"),
        ("abcadbe", "d", "newer commit e is live"),
        ("abcb", "c", "b was put back by hand in place of c"),
    ],
)
def test_never_backwards_and_never_against_a_person(steps: str, sha: str, reason: str) -> None:
    found = superseded_by(sha, healthy(*steps), lambda old, new: old <= new)
    assert reason in found and bool(reason) == bool(found)


def test_a_promotion_is_due_after_its_time() -> None:
    watched = Watched("a", NOON)
    assert not watched.is_due(60, NOON + timedelta(seconds=59))
    assert watched.is_due(60, NOON + timedelta(seconds=60))
