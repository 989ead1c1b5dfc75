"""Freezes as the projects file has them: cron on the days on which the clocks change, dates, and what is refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from infraaudit_domain.delivery.analysis import Threshold
from infraaudit_domain.delivery.approvals import ApprovalRule
from infraaudit_domain.delivery.freezes import frozen
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.projects import Environment
from resources.configuration.freezes import CronStarts
from resources.configuration.projects import read_projects

BERLIN = ZoneInfo("Europe/Berlin")


def environment(tmp_path: Path, *lines: str) -> Environment:
    file = tmp_path / "projects.yaml"
    entry = "projects:\n  - name: shop\n    url: https://x.example/shop\n    environments:\n      - name: production\n"
    file.write_text(entry + "".join(f"        {line}\n" for line in lines))
    return read_projects(file)[0].environment


def at(month: int, day: int, hour: int, minute: int = 0, fold: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN, fold=fold)


@pytest.mark.parametrize(
    ("cron", "now", "latest"),
    [
        ("0 18 * * 5", at(3, 27, 18), at(3, 27, 18)),
        ("0 18 * * FRI", at(3, 27, 17, 59), at(3, 20, 18)),
        ("0 18 * * 5", at(3, 29, 12), at(3, 27, 18)),
        ("30 2 * * *", at(3, 29, 3), at(3, 29, 3)),
        ("30 2 * * *", at(10, 25, 2, 45, fold=1), at(10, 25, 2, 30)),
        ("0 0 29 2 *", at(3, 1, 0), datetime(2024, 2, 29, tzinfo=BERLIN)),
    ],
)  # fmt: skip
def test_the_latest_start_is_as_cron_takes_it(cron: str, now: datetime, latest: datetime) -> None:
    starts = CronStarts(cron, "Europe/Berlin")
    assert starts.latest(now) == starts.latest(now.astimezone(UTC)) == latest


def test_a_weekend_ends_on_the_clock_that_people_read(tmp_path: Path) -> None:
    found = environment(
        tmp_path, "freeze:", "  - {cron: '0 18 * * 5', for: 2d14h, zone: Europe/Berlin, reason: the weekend}",
        "approvals: 2", "approvers: [eve, bob, ada@example.org]",
    )  # fmt: skip
    assert found.approval == ApprovalRule(2, ("eve", "bob", "ada@example.org"))
    for friday in (at(3, 27, 18), at(5, 1, 18), at(10, 23, 18)):
        ends = frozen(found.freeze, friday + timedelta(hours=1))
        assert ends and ends.until and ends.until.astimezone(BERLIN) == friday + timedelta(days=2, hours=14)
        assert frozen(found.freeze, friday - timedelta(minutes=1)) is None


@pytest.mark.parametrize("quote", ["", '"'])
def test_dates_are_days_of_the_zone_and_the_last_one_counts(tmp_path: Path, quote: str) -> None:
    days = f"{{from: {quote}2026-12-20{quote}, to: {quote}2027-01-01{quote}, zone: America/New_York}}"
    windows = environment(tmp_path, "freeze:", f"  - {days}").freeze
    found = frozen(windows, datetime(2026, 12, 25, tzinfo=UTC))
    assert found and found.until == datetime(2027, 1, 2, 5, tzinfo=UTC)
    assert frozen(windows, datetime(2026, 12, 20, 4, 59, tzinfo=UTC)) is None


def test_times_may_have_a_zone_of_their_own(tmp_path: Path) -> None:
    windows = environment(
        tmp_path, "freeze:", "  - {from: 2026-05-01T08:00:00+02:00, to: '2026-05-01T09:30', zone: Europe/Berlin}"
    ).freeze
    found = frozen(windows, datetime(2026, 5, 1, 6, tzinfo=UTC))
    assert found and found.until == datetime(2026, 5, 1, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ("{cron: '0 0 30 2 *', for: 1d}", "ever comes"),
        ("{cron: '0 0 0 * * *', for: 1d}", "five fields"),
        ("{cron: 'every friday', for: 1d}", "five fields"),
        ("{cron: '0 0 * * *', for: 0h}", "no duration"),
        ("{cron: '0 0 * * *', for: 900d}", "no duration"),
        ("{cron: '0 0 * * *'}", "either cron and for"),
        ("{cron: '0 0 * * *', for: 1h, to: 2026-01-01}", "either cron and for"),
        ("{from: 2026-01-02, to: 2026-01-01}", "ends before it begins"),
        ("{from: 2026-01-02, to: 2026-01-03, zone: Mars/Olympus}", "no time zone"),
        ("{from: 2026-01-02, to: 2026-01-03, zone: ../UTC}", "no time zone"),
    ],
)
def test_a_window_that_is_none_is_refused_with_its_line(tmp_path: Path, window: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        environment(tmp_path, "freeze:", f"  - {window}")
    assert "environments[0].freeze[0]" in str(refused.value)


def test_more_approvals_than_approvers_let_nothing_in(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="needs 2 approvals and names 1 approvers"):
        environment(tmp_path, "approvals: 2", "approvers: [eve, EVE]")


def test_an_analysis_has_expressions_with_limits(tmp_path: Path) -> None:
    found = environment(
        tmp_path, "analysis:", "  seconds: 90", "  thresholds:", "    - {name: errors, query: 'rate(x[1m])', max: 0.01}",
    ).analysis  # fmt: skip
    assert (found.seconds, found.every, found.after) == (90, 10, 60)
    assert found.thresholds == (Threshold("errors", "rate(x[1m])", None, 0.01),)
    assert environment(tmp_path).analysis.thresholds == ()


@pytest.mark.parametrize(
    ("thresholds", "said"),
    [
        ("[]", "at least 1"),
        ("[{name: a, query: up}]", "every value would pass"),
        ("[{name: a, query: up, min: 1}, {name: a, query: up, max: 1}]", "same name"),
        ("[{name: a, query: up, max: .nan}]", "finite"),
        ("[{name: a, query: up, min: -.inf}]", "finite"),
    ],
)
def test_an_analysis_that_measures_nothing_is_refused(tmp_path: Path, thresholds: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        environment(tmp_path, "analysis:", f"  thresholds: {thresholds}")


def test_a_release_is_not_watched_longer_than_its_run_may_last(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="watches a release for 2701 s"):
        environment(
            tmp_path, "soak: 1500", "analysis:", "  after: 1", "  seconds: 1200", "  thresholds:",
            "    - {name: a, query: up, min: 1}",
        )  # fmt: skip
    with pytest.raises(ConfigurationError, match="2700"):
        environment(tmp_path, "soak: 3600")
    assert environment(tmp_path, "soak: 2700").soak == 2700
