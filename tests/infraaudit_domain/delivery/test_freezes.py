"""Freezes: which moments lie in them, and when they end."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.delivery.freezes import Between, Freeze, Lasting, frozen

BERLIN = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True)
class Daily:
    """Each day at an hour of Berlin's clock."""

    hour: int

    def latest(self, now: datetime) -> datetime | None:
        here = now.astimezone(BERLIN)
        today = here.replace(hour=self.hour, minute=0, second=0, microsecond=0, fold=0)
        return today if today <= here else today - timedelta(days=1)


def at(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN)


def test_its_begin_is_inside_and_its_end_is_not() -> None:
    windows = [Freeze(Daily(18), Lasting(more=timedelta(hours=2)), "evenings")]
    moments = [at(5, 4, 17, 59), at(5, 4, 18), at(5, 4, 19, 59), at(5, 4, 20)]
    assert [frozen(windows, moment) is not None for moment in moments] == [False, True, True, False]
    found = frozen(windows, at(5, 4, 19))
    assert found and found.until == at(5, 4, 20) and "until 2026-05-04 18:00 UTC: evenings" in str(found)


@pytest.mark.parametrize(
    ("start", "lasting", "ends"),
    [
        (at(3, 28, 18), Lasting(days=1), at(3, 29, 18)),
        (at(3, 28, 18), Lasting(more=timedelta(hours=24)), at(3, 29, 19)),
        (at(10, 24, 18), Lasting(days=1), at(10, 25, 18)),
        (at(10, 24, 18), Lasting(more=timedelta(hours=24)), at(10, 25, 17)),
        (at(10, 24, 18), Lasting(days=1, more=timedelta(minutes=30)), at(10, 25, 18, 30)),
    ],
)  # fmt: skip
def test_days_go_by_the_clock_on_the_wall_and_hours_pass(start: datetime, lasting: Lasting, ends: datetime) -> None:
    assert lasting.end(start) == ends.astimezone(UTC)


def test_windows_that_overlap_or_touch_are_one() -> None:
    first, second, third = (Between(at(5, day), at(5, day + length), f"no {day}") for day, length in ((1, 2), (2, 3), (5, 1)))  # fmt: skip
    found = frozen([third, first, second], at(5, 1, 12))
    assert found and found.until == at(5, 6) and found.reason == "no 1; no 2; no 5"
    assert frozen([third, first], at(5, 4)) is None


def test_one_long_window_has_its_end() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = frozen([Between(start, start + timedelta(days=730), "migration")], start)
    assert found and found.until == start + timedelta(days=730)


def test_windows_without_a_gap_have_no_end() -> None:
    found = frozen([Freeze(Daily(0), Lasting(days=1))], at(5, 1))
    assert found and found.until is None and "for good" in str(found)


@given(st.dates(date(2025, 1, 1), date(2027, 1, 1)), st.integers(0, 23), st.integers(0, 24 * 60 - 1))
def test_a_moment_is_frozen_as_a_look_at_every_window_says(day: date, hour: int, minutes: int) -> None:
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minutes)
    starts = [datetime(day.year, day.month, day.day, hour, tzinfo=BERLIN) + timedelta(days=n) for n in range(-4, 2)]
    within = any(start <= now < start.astimezone(UTC) + timedelta(hours=5) for start in starts)
    assert (frozen([Freeze(Daily(hour), Lasting(more=timedelta(hours=5)))], now) is not None) is within
