"""What was live from when to when, for random pasts against a look at every single hour."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.live_periods import Period, live_periods

START = datetime(2026, 1, 1, tzinfo=UTC)
POSITIONS = {"a": 0, "b": 1, "c": 2}


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def past(attempts: list[tuple[str, Outcome]]) -> list[Deployment]:
    return [Deployment("p", "e", sha, "t", how, at(hour), at(hour)) for hour, (sha, how) in enumerate(attempts)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(Outcome)), max_size=15))
def test_every_hour_has_the_commit_that_became_healthy_last(attempts: list[tuple[str, Outcome]]) -> None:
    periods, end = live_periods(past(attempts), POSITIONS), len(attempts)
    live = [
        next((sha for sha, how in reversed(attempts[: hour + 1]) if how is Outcome.DEPLOYED), None)
        for hour in range(end)
    ]
    for hour in range(end):
        found = [one.sha for one in periods if one.start <= at(hour) < (one.end or at(end))]
        assert found == ([live[hour]] if live[hour] else [])
    assert [one.sha for one in periods] == [sha for n, sha in enumerate(live) if sha and (n == 0 or live[n - 1] != sha)]
    for sha in "abc":
        hours = sum(one.hours(at(end)) for one in periods if one.sha == sha)
        assert hours == sum(one == sha for one in live)


def test_a_rollback_and_one_that_fails_take_back_what_is_live() -> None:
    deployed, unchanged, failed = Outcome.DEPLOYED, Outcome.UNCHANGED, Outcome.ROLLED_BACK
    attempts = [("a", deployed), ("b", deployed), ("b", unchanged), ("a", deployed), ("c", deployed), ("b", failed)]
    assert live_periods(past(attempts), POSITIONS) == [
        Period("a", at(0), at(1)), Period("b", at(1), at(3), True), Period("a", at(3), at(4)),
        Period("c", at(4), None, True),
    ]  # fmt: skip
