"""What stands of people's decisions, at any moment; and what of them may be recorded."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.judging.suppressions import Kind, Source, lapsed, suppressed_at, suppressed_by
from infraaudit_domain.judging.triage import Action, Decision, Event, Ruling, State, checked, decisions, suppressions_of
from infraaudit_domain.scans.findings import Finding

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
FINDING = Finding("terraform", "CKV_1", "a check", "main.tf", "bucket", 1, 2)
ID = FINDING.fingerprint
ACCEPT = Ruling(Action.ACCEPT, "behind the VPN", "ops", date(2026, 6, 1))
WRONG, ASSIGN, UNDO = Ruling(Action.FALSE_POSITIVE, "no"), Ruling(Action.ASSIGN, "", "ada"), Ruling(Action.UNDO)


def event(ruling: Ruling, hours: float = 0, mark: str = ID) -> Event:
    return Event(mark, "a" * 40, ruling, "eve", NOW + timedelta(hours=hours))


def states(found: list[Decision]) -> list[tuple[Action, State]]:
    return [(one.event.ruling.action, one.state(NOW.date())) for one in found]


def test_a_decision_stands_until_it_is_undone_or_replaced() -> None:
    assert states(decisions([event(ACCEPT), event(ASSIGN, 1)])) == [
        (Action.ACCEPT, State.STANDING), (Action.ASSIGN, State.STANDING),
    ]  # fmt: skip
    replaced = decisions([event(ACCEPT), event(WRONG, 1)])
    assert states(replaced)[0] == (Action.ACCEPT, State.REPLACED) and replaced[0].ended == NOW + timedelta(hours=1)
    undone = decisions([event(ACCEPT), event(ASSIGN, 1), event(UNDO, 2)])
    assert states(undone) == [(Action.ACCEPT, State.UNDONE), (Action.ASSIGN, State.STANDING)]
    assert states(decisions([event(ASSIGN), event(UNDO, 1)])) == [(Action.ASSIGN, State.UNDONE)]
    assert decisions([event(UNDO)]) == []
    assert decisions([event(ACCEPT)])[0].state(date(2026, 6, 2)) is State.EXPIRED


def test_what_is_decided_under_a_later_name_ends_what_was_decided_under_the_first() -> None:
    two = [event(ACCEPT), event(UNDO, 1, "other")]
    assert states(decisions(two)) == [(Action.ACCEPT, State.STANDING)]
    assert states(decisions(two, {ID: ID, "other": ID})) == [(Action.ACCEPT, State.UNDONE)]


def test_it_hides_as_an_entry_of_the_file_does_and_between_its_moments_alone() -> None:
    (one,) = suppressions_of(decisions([event(ACCEPT), event(UNDO, 6)]), {})
    assert (one.source, one.kind, one.by, one.owner) == (Source.TRIAGE, Kind.ACCEPT, "eve", "ops")
    seen = [bool(suppressed_at(FINDING, [one], NOW + timedelta(hours=hours))) for hours in (-1, 0, 5.9, 6, 30)]
    assert seen == [False, True, True, False, False]
    assert suppressed_by(FINDING, [one], NOW.date()) is None, "it was undone today"
    (standing,) = suppressions_of(decisions([event(ACCEPT)]), {})
    assert suppressed_by(FINDING, [standing], date(2026, 6, 1)) is standing
    assert suppressed_by(FINDING, [standing], date(2026, 6, 2)) is None
    assert [each.decision for each in lapsed([FINDING], [standing], date(2026, 6, 2))] == [standing]
    assert lapsed([FINDING], [one], date(2026, 6, 2)) == [], "what was undone has not run out"


def test_names_that_nobody_has_any_more_hide_nothing() -> None:
    (one,) = suppressions_of(decisions([event(ACCEPT)]), {ID: frozenset()})
    assert not one.matches(FINDING)


def test_what_was_decided_alike_at_once_is_one_suppression() -> None:
    found = suppressions_of(decisions([event(ACCEPT), event(ACCEPT, mark="other"), event(WRONG, 1, "third")]), {})
    assert [sorted(one.names) for one in found] == [sorted([ID, "other"]), ["third"]]


@pytest.mark.parametrize(
    ("ruling", "missing"),
    [
        (Ruling(Action.ACCEPT, " ", "ops", date(2026, 6, 1)), "a reason"),
        (Ruling(Action.ACCEPT, "why", "", date(2026, 6, 1)), "an owner"),
        (Ruling(Action.ACCEPT, "why", "ops"), "the last day"),
        (Ruling(Action.ACCEPT, "why", "ops", date(2026, 5, 3)), "is over"),
        (Ruling(Action.FALSE_POSITIVE), "a reason"),
        (Ruling(Action.ASSIGN, "why"), "an owner"),
        (Ruling(Action.FALSE_POSITIVE, "x" * 2001), "at most"),
    ],
)
def test_what_is_missing_is_named(ruling: Ruling, missing: str) -> None:
    with pytest.raises(ConfigurationError, match=missing):
        checked(ruling, NOW.date())


@given(st.lists(st.sampled_from([ACCEPT, WRONG, ASSIGN, UNDO]), max_size=12))
def test_at_most_one_decision_hides_a_finding_at_any_moment(rulings: list[Ruling]) -> None:
    events = [event(ruling, hours) for hours, ruling in enumerate(rulings)]
    found = suppressions_of(decisions(events), {})
    for hours, _ in enumerate(rulings):
        moment = NOW + timedelta(hours=hours)
        then = suppressions_of(decisions(events[: hours + 1]), {})
        now = [one for one in found if one.counts_at(moment)]
        assert len(now) <= 1 and len(now) == sum(one.ended is None for one in then)
