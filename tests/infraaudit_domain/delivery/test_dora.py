"""The DORA measures, from small stated histories, and against a brute force over random ones."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.dora import Dora, measure

NOW = datetime(2026, 1, 31, tzinfo=UTC)
LINE = "abcdefgh"
POSITIONS = {sha: place for place, sha in enumerate(LINE)}
WORDS = {
    "D": Outcome.DEPLOYED, "R": Outcome.ROLLED_BACK, "F": Outcome.FAILED, "X": Outcome.DEGRADED,
    "U": Outcome.UNCHANGED, "S": Outcome.SUPERSEDED, "K": Outcome.SKIPPED,
}  # fmt: skip


def at(hours_ago: float, outcome: Outcome, sha: str = "a") -> Deployment:
    end = NOW - timedelta(hours=hours_ago)
    return Deployment("shop", "production", sha, "container", outcome, end, end)


def reported(steps: str, positions: dict[str, int] | None = None, days: float = 30) -> Dora:
    """Measures of attempts an hour apart, the last an hour ago: ``aD`` is commit a that was deployed."""
    words = steps.split()
    attempts = [at(len(words) - place, WORDS[word[1]], word[0]) for place, word in enumerate(words)]
    return measure(attempts, [], NOW, days, positions)


def test_the_four_measures() -> None:
    tried = [
        at(50, Outcome.DEPLOYED, "a"),
        at(40, Outcome.ROLLED_BACK, "b"),
        at(38, Outcome.DEGRADED, "c"),
        at(37, Outcome.SUPERSEDED, "d"),
        at(30, Outcome.DEPLOYED, "e"),
        at(24 * 31, Outcome.FAILED, "old"),
    ]
    measured = measure(tried, [2 * 3600, 4 * 3600, 6 * 3600], NOW, 30)
    assert (measured.deployed, measured.attempts, measured.failure_ratio) == (2, 4, 0.5)
    assert measured.lead_seconds == 4 * 3600
    # The first failure is 31 days old, and ended within the window: it and the double failure are two restores.
    assert measured.restore_seconds == ((24 * 31 - 50) + 10) / 2 * 3600
    assert not measured.incident_open


def test_nothing_known_is_no_zero() -> None:
    measured = measure([], [], NOW)
    assert (measured.lead_seconds, measured.failure_ratio, measured.restore_seconds) == (None, None, None)
    assert measure([at(1, Outcome.FAILED)], [], NOW).incident_open


@pytest.mark.parametrize("positions", [None, POSITIONS])
@pytest.mark.parametrize(
    ("steps", "attempts", "deployed", "failed", "restores", "is_open"),
    [
        ("aD bD", 2, 2, 0, [], False),
        # A rollback takes back what was live, and is no change itself.
        ("aD bD aD", 2, 2, 1, [1], False),
        ("aD bD aD cD", 3, 3, 1, [1], False),
        # Two in a row take back two; one over two commits takes back what was live.
        ("aD bD cD bD aD", 3, 3, 2, [1, 1], False),
        ("aD bD cD aD", 3, 3, 1, [1], False),
        # What was taken back and comes again is a change again, and may be taken back again.
        ("aD bD aD bD", 3, 3, 1, [1], False),
        ("aD bD aD bD aD", 3, 3, 2, [1, 1], False),
        # A rollback that fails itself says all the same that what is live is bad, until something is healthy again.
        ("aD bD aR", 2, 2, 1, [], True),
        ("aD bD aX aD", 2, 2, 1, [2], False),
        ("aD bD aF cD", 3, 3, 1, [2], False),
        # Forward through failures: the next good deployment ends the row of them.
        ("aD bR cF dD", 4, 2, 2, [2], False),
        ("aD bR", 2, 1, 1, [], True),
        # What was live is put back after a rollback that failed: a repair, no change.
        ("aD bX aD", 2, 1, 1, [1], False),
        # The same release again, by its outcome and as older histories have it.
        ("aD aU aU", 1, 1, 0, [], False),
        ("aD aD bD bD", 2, 2, 0, [], False),
        ("aD bD bD aD", 2, 2, 1, [2], False),
        ("aK aS aD", 1, 1, 0, [], False),
        ("aF aD", 2, 1, 1, [1], False),
    ],
)
def test_a_change_fails_that_is_taken_back(
    steps: str,
    attempts: int,
    deployed: int,
    failed: int,
    restores: list[int],
    is_open: bool,
    positions: dict[str, int] | None,
) -> None:
    measured = reported(steps, positions)
    assert (measured.attempts, measured.deployed, measured.incident_open) == (attempts, deployed, is_open)
    assert measured.failure_ratio == failed / attempts
    assert measured.restore_seconds == (median(restores) * 3600 if restores else None)


def test_a_rollback_by_hand_makes_the_rate_worse() -> None:
    before = "aD bD cF dD eD fD gD hD"
    assert (reported(before).failure_ratio, reported(f"{before} gD").failure_ratio) == (1 / 8, 2 / 8)


def test_a_rollback_a_week_later_counts_where_the_change_was() -> None:
    tried = [at(24 * 9, Outcome.DEPLOYED, "a"), at(24 * 8, Outcome.DEPLOYED, "b"), at(24, Outcome.DEPLOYED, "a")]
    month, days = measure(tried, [], NOW, 30), measure(tried, [], NOW, 3)
    assert (month.failure_ratio, month.restore_seconds) == (0.5, 7 * 86400)
    assert (days.attempts, days.failure_ratio, days.restore_seconds) == (0, None, 7 * 86400)


def test_going_back_to_a_commit_that_never_was_there_is_seen_by_the_branch() -> None:
    assert (reported("bD cD aD", POSITIONS).failure_ratio, reported("bD cD aD").failure_ratio) == (0.5, 0)


ATTEMPTS = st.lists(st.tuples(st.sampled_from(LINE[:4]), st.sampled_from("DDDRFXUSK")), max_size=12)


@given(ATTEMPTS)
def test_random_pasts_against_a_brute_force(words: list[tuple[str, str]]) -> None:
    measured = reported(" ".join("".join(word) for word in words), POSITIONS)
    attempts, deployed, failed, restores, is_open = _by_brute_force(words)
    ratio = failed / attempts if attempts else None
    assert (measured.attempts, measured.deployed, measured.failure_ratio) == (attempts, deployed, ratio)
    assert measured.restore_seconds == (median(restores) * 3600 if restores else None)
    assert measured.incident_open is is_open


def _by_brute_force(words: Sequence[tuple[str, str]]) -> tuple[int, int, int, list[int], bool]:
    """The measures, each by looking over the whole past again for every attempt."""
    tried = [place for place, (_, word) in enumerate(words) if word in "DRFX"]

    def healthy(place: int) -> bool:
        return words[place][1] == "D"

    def live(place: int) -> str:
        return next((words[p][0] for p in reversed(tried) if p < place and healthy(p)), "")

    def went_live(place: int) -> int:
        """Where what is live before an attempt went live."""
        spell = [p for p in tried if p < place and healthy(p)]
        return next(p for p in spell if all(words[q][0] == live(place) for q in spell if q >= p))

    changes = [p for p in tried if not live(p) or words[p][0] > live(p)]
    back = [p for p in tried if live(p) and words[p][0] < live(p)]
    taken = {max((c for c in changes if c < p and healthy(c) and words[c][0] == live(p)), default=-1) for p in back}
    failed = {c for c in changes if not healthy(c)} | (taken - {-1})
    restores: list[int] = []
    is_open = False
    since_good: list[int] = []
    for p in tried:
        since_good.append(p)
        bad = [went_live(q) for q in since_good if q in back] + [q for q in since_good if not healthy(q)]
        is_open = bool(bad) and not healthy(p)
        if healthy(p):
            restores += [p - min(bad)] if bad else []
            since_good = []
    return len(changes), sum(map(healthy, changes)), len(failed), restores, is_open
