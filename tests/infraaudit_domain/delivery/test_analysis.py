"""What passes an analysis, and what is said of it."""

import math

import pytest

from infraaudit_domain.delivery.analysis import Threshold, judge

NONE = math.nan


@pytest.mark.parametrize(
    ("least", "most", "values", "worst", "passed"),
    [
        (None, 0.01, [0.0, 0.01], 0.01, True),
        (None, 0.01, [0.0, 0.2, 0.0], 0.2, False),
        (2, None, [3, 2], 2, True),
        (2, None, [3, 1.5, 9], 1.5, False),
        (1, 5, [3, 5], 5, True),
        (1, 5, [3, 0, 5.5], 0, False),
        (None, 0.01, [NONE, 0.0], 0.0, True),
        (None, 0.01, [math.inf], math.inf, False),
        (None, 0.01, [], None, False),
        (None, 0.01, [NONE], None, False),
    ],
)
def test_one_value_outside_its_limits_fails_and_so_does_none_at_all(
    least: float | None, most: float | None, values: list[float], worst: float | None, passed: bool
) -> None:
    found = judge(Threshold("errors", "q", least, most), "q", values)
    assert (found.value, found.passed) == (worst, passed)


def test_it_says_the_number_and_its_limits() -> None:
    assert str(judge(Threshold("errors", "q", most=0.01), "q", [0.25])) == "errors was 0.25 (at most 0.01)"
    assert str(judge(Threshold("up", "q", 1, 5), "q", [2])) == "up was 2 (at least 1, at most 5)"
    assert str(judge(Threshold("up", "q", 1), "q", [], "it does not answer")) == "up had no value: it does not answer"


def test_the_names_of_what_is_measured_are_replaced_and_another_dollar_stays() -> None:
    asked = Threshold("x", 'up{job=~"a$", project="$project", sha="$commit", in="$environment"}').asked(
        "shop", "live", "1"
    )
    assert asked == 'up{job=~"a$", project="shop", sha="1", in="live"}'
