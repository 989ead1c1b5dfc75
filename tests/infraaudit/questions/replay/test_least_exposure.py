"""What going back would expose, against a count of every hour that would follow, in random pasts."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from infraaudit.questions.replay.least_exposure import least_exposure
from infraaudit_domain.delivery.advice import Candidate
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.delivery.least_exposure import least_first
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.scans.findings import Severity
from tests.infraaudit.questions.replay.random_pasts import NONE, POOL, WHOLE, Past, asked, pasts, recorded
from tests.sizes import examples


@examples(10)
@given(pasts(st.sampled_from([WHOLE, WHOLE, NONE])), st.integers(1, 48))
def test_hours_are_those_of_every_finding_in_every_hour_that_would_follow(past: Past, hours: int) -> None:
    live = past.live(past.end)
    if live is None:
        return
    with recorded(past) as line:
        for sha in past.shas:
            line.history.record_image("p", sha, Image("i:1", "sha256:1", 1, 0.1, sha))
            line.history.record_test_run("p", sha, TestRun((TestCase("t", CaseOutcome.PASSED, 0.1),), 0.1))
        rows, _ = least_exposure(asked(line, past.end, hours=hours))
    assert {row["sha"] for row in rows} == set(past.shas[:live])
    known = [row for row in rows if row["returned"] is not None]
    assert rows[: len(known)] == known, "what is not known comes last"
    nets = []
    for row in rows:
        commit, here = past.commits[past.shas.index(row["sha"])], past.commits[live]
        if NONE in (commit.scanned, here.scanned):
            assert row["returned"] is row["returned_high"] is None
            continue
        returned, avoided = Counter[str](), Counter[str]()
        for _ in range(hours):
            returned.update(one.severity.value for one in commit.open if one not in here.open)
            avoided.update(one.severity.value for one in here.open if one not in commit.open)
        assert (row["returned"], row["avoided"]) == (returned.total(), avoided.total())
        for severity in Severity:
            assert row[f"returned_{severity}"] == returned[severity] and row[f"avoided_{severity}"] == avoided[severity]
        nets.append([returned[severity] - avoided[severity] for severity in Severity])
    assert nets == sorted(nets)


def test_worse_severities_decide_first_and_equal_ones_stay_in_their_order() -> None:
    critical, high, other = (next(one for one in POOL if one.severity is s) for s in (
        Severity.CRITICAL, Severity.HIGH, Severity.LOW
    ))  # fmt: skip
    ways = {
        "one critical": ((critical,), ()),
        "two high": ((high, high), ()),
        "nothing": ((), ()),
        "nothing, older": ((), ()),
        "a critical for two high": ((high, high), (critical,)),
        "a low": ((), (other,)),
        "unknown": (None, None),
    }
    found = least_first((Candidate(name, True, True, *how) for name, how in ways.items()), 1)
    assert [one.candidate.sha for one in found] == [
        "a critical for two high", "a low", "nothing", "nothing, older", "two high", "one critical", "unknown"
    ]  # fmt: skip
