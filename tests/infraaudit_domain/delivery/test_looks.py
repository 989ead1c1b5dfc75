"""How often an environment is looked at, and how much of that is shown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from infraaudit_domain.delivery.looks import Look, Seen, are_news, is_news, pause, quiet_looks

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Look(True, "as it was deployed", "1" * 40)
FIVE = timedelta(minutes=5)


def shown(look: Look, ago: timedelta) -> Seen:
    return Seen(look, shown_at=NOW - ago, shown_mark=look.shown_mark)


def test_what_changed_is_shown_at_once_and_the_same_once_a_day() -> None:
    assert is_news(Seen(), GOOD, NOW)
    before = shown(GOOD, timedelta(hours=23))
    assert not is_news(before, GOOD, NOW)
    for change in ({"passed": False}, {"sha": "2" * 40}, {"drift": ("Deployment/web: x is 1, deployed was 2",)}):
        assert is_news(before, replace(GOOD, **change), NOW)
    assert is_news(shown(GOOD, timedelta(days=1)), GOOD, NOW)


def test_a_reason_that_is_worded_anew_at_each_look_is_shown_once_an_hour() -> None:
    sick = Look(False, "restarted 3 times", "1" * 40)
    other = replace(sick, words="restarted 4 times")
    assert not is_news(shown(sick, timedelta(minutes=59)), other, NOW)
    assert is_news(shown(sick, timedelta(hours=1)), other, NOW)


def test_lines_are_shown_once_an_hour() -> None:
    assert are_news(Seen(lines=1), NOW)
    assert not are_news(Seen(lines=0), NOW)
    assert not are_news(Seen(lines=9, lines_shown_at=NOW - timedelta(minutes=59)), NOW)
    assert are_news(Seen(lines=9, lines_shown_at=NOW - timedelta(hours=1)), NOW)


def test_the_pace_slows_down_after_an_hour_without_a_change_and_is_back_at_once() -> None:
    seen = Seen()
    for _ in range(13):
        assert pause(seen.quiet, FIVE) == FIVE
        seen = replace(seen, quiet=quiet_looks(seen, GOOD, 0), look=GOOD)
    assert seen.quiet == 12 and pause(seen.quiet, FIVE) == 3 * FIVE
    assert quiet_looks(seen, GOOD, 1) == 0, "it printed something"
    assert quiet_looks(seen, replace(GOOD, passed=False), 0) == 0
