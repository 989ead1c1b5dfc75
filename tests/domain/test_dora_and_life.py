"""The DORA measures and the life of a finding, from small stated histories."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from infraaudit_assets.domain.deployments import Deployment, Outcome
from infraaudit_assets.domain.dora import measure
from infraaudit_assets.domain.life import Sighting, life_of

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
    brought = {"a": [NOW - timedelta(hours=52)], "e": [NOW - timedelta(hours=h) for h in (34, 36)]}
    measured = measure(tried, brought, NOW, 30)
    assert (measured.deployed, measured.attempts, measured.failure_ratio) == (2, 4, 0.5)
    assert measured.lead_seconds == 4 * 3600
    # The first failure is 31 days old, and ended within the window: it and the double failure are two restores.
    assert measured.restore_seconds == ((24 * 31 - 50) + 10) / 2 * 3600
    assert not measured.incident_open


def test_nothing_known_is_no_zero() -> None:
    measured = measure([], {}, NOW)
    assert (measured.lead_seconds, measured.failure_ratio, measured.restore_seconds) == (None, None, None)
    assert measure([at(1, Outcome.FAILED)], {}, NOW).incident_open


def test_a_life_with_everything_in_it() -> None:
    seen = [
        Sighting("0", True),
        Sighting("1", True, "open", 5),
        Sighting("2", True, "open", 9),
        Sighting("3", False),
        Sighting("4", True, "suppressed", 9),
        Sighting("5", True, "open", 9),
        Sighting("6", True),
        Sighting("7", True),
        Sighting("8", True, "open", 2),
    ]
    names = ["introduced", "moved", "suppressed", "unsuppressed", "fixed", "reopened"]
    assert [(e.sha, e.event) for e in life_of(seen)] == list(zip("124568", names, strict=True))


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([None, "open", "suppressed"]), st.integers(1, 3))))
def test_only_a_complete_scan_closes_and_lives_alternate(rows: list[tuple[bool, str | None, int]]) -> None:
    seen = [Sighting(str(n), complete, status, line) for n, (complete, status, line) in enumerate(rows)]
    ends = [e for e in life_of(seen) if e.event in ("introduced", "fixed", "reopened")]
    assert all(seen[int(e.sha)].complete for e in ends if e.event == "fixed")
    assert [e.event == "fixed" for e in ends] == [n % 2 == 1 for n in range(len(ends))]
