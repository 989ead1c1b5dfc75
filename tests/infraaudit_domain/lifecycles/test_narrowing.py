"""Bisection names the commit of every event, with few scans, whatever had been scanned and whatever the truth is."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.lifecycles.narrowing import doubts, middle
from infraaudit_domain.lifecycles.spans import Span
from tests.infraaudit_domain.lifecycles.test_ranges_contain_the_truth import Commit, Truth, followed
from tests.sizes import examples

RESOURCE = "a1"

lines = st.lists(
    st.builds(
        Commit,
        toggled=st.sampled_from(["", "", "", RESOURCE, "b1"]),
        renamed=st.just(""),
        is_scanned=st.booleans(),
        unread=st.sampled_from([frozenset[str](), frozenset[str](), frozenset("a")]),
        passes=st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


def spans(history: list[Commit]) -> list[Span]:
    steps, active, _ = followed(Truth(history))
    known = {(s.start, s.finding.fingerprint): s for step in steps for s in (*step.started, *step.resighted)}
    known |= {(s.start, s.finding.fingerprint): s for step in steps for s in step.ended}
    known |= {(s.start, s.finding.fingerprint): s for s in active.values()}
    return [span for span in known.values() if span.finding.resource == RESOURCE]


def narrowed(history: list[Commit]) -> tuple[list[Commit], int]:
    """The line as it is scanned in the end, and how many scans that took."""
    scans = 0
    while True:
        left = {position for position, commit in enumerate(history) if not commit.is_scanned}
        wanted = (middle(doubt.between, left) for doubt in doubts(spans(history)))
        position = next((each for each in wanted if each is not None), None)
        if position is None:
            return history, scans
        history = [replace(c, is_scanned=True) if at == position else c for at, c in enumerate(history)]
        scans += 1


def allowed(history: list[Commit]) -> int:
    """The binary logarithm of each range, rounded up, and one more for each commit whose file cannot be read."""
    unread = sum(not commit.is_scanned and "a" in commit.unread for commit in history)
    return unread + sum(
        sum(not history[position].is_scanned for position in doubt.between).bit_length()
        for doubt in doubts(spans(history))
    )


@given(lines)
@examples(100)
def test_where_everything_can_be_read_every_event_is_named_with_few_scans(history: list[Commit]) -> None:
    history = [replace(commit, unread=frozenset()) for commit in history]
    done, scans = narrowed(history)
    assert scans <= allowed(history)
    assert not list(doubts(spans(done)))
    has = [RESOURCE in there for there in Truth(done).has]
    for span in spans(done):
        assert has[span.start] and not (span.start and has[span.start - 1])
        assert span.end is None or (has[span.end - 1] and not has[span.end])


@given(lines)
@examples(100)
def test_what_cannot_be_read_is_passed_over_and_costs_one_scan_each(history: list[Commit]) -> None:
    done, scans = narrowed(history)
    assert scans <= allowed(history)
    for doubt in doubts(spans(done)):
        assert all("a" in done[position].unread and done[position].is_scanned for position in doubt.between)


def test_the_middle_is_that_of_what_can_be_scanned() -> None:
    assert middle(range(10), range(10)) == 5
    assert middle(range(10), {0, 1, 2}) == 1
    assert middle(range(10), {11}) is None
    assert middle(range(0), range(10)) is None
