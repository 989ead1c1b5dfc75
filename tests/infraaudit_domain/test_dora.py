"""The DORA measures, from small stated histories."""

from datetime import UTC, datetime, timedelta

from infraaudit_domain.deployments import Deployment, Outcome
from infraaudit_domain.dora import measure

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def at(hours_ago: float, outcome: Outcome, sha: str = "a") -> Deployment:
    end = NOW - timedelta(hours=hours_ago)
    return Deployment("shop", "production", sha, "container", outcome, end, end)


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
