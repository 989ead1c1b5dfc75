"""Point in time against a look at every deployment and every finding of a random past, at any moment."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit.questions.answers import answer, no_data
from infraaudit.questions.asked import Asked, ProjectRules
from infraaudit.questions.replay.at import at as answer_at
from infraaudit.questions.replay.at import at_findings, at_gaps, at_suppressions
from infraaudit.questions.table import asked_as
from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.errors import NotThereError
from infraaudit_domain.judging.suppressions import Suppression
from infraaudit_domain.scans.evidence import Evidence
from infraaudit_domain.scans.findings import FrameworkScan, Scan, ScanStatus
from tests.infraaudit.questions.replay.random_pasts import (
    FAILED,
    NONE,
    POOL,
    WHOLE,
    Attempt,
    Made,
    Past,
    asked,
    at,
    pasts,
    recorded,
)
from tests.sizes import examples

LIVE, ALL_OPEN = Outcome.DEPLOYED, ("open",) * len(POOL)
DAY_OF_B = Suppression("accepted", "ops", date(2024, 1, 6), check="CKV_b", since=date(2024, 1, 3))


@examples(12)
@given(pasts(), st.integers(0, 700), st.booleans())
def test_it_says_what_a_look_at_every_deployment_says(past: Past, hour: int, is_suppressed: bool) -> None:
    hour = min(hour, past.end)
    suppressions = (DAY_OF_B,) if is_suppressed else ()
    hides = is_suppressed and DAY_OF_B.counts_on(at(hour).date())
    with recorded(past) as line:
        rules = ProjectRules(suppressions=suppressions, mirror=line.mirror)
        question = asked(line, past.end, rules, when=at(hour).isoformat())
        if no_data(asked_as("at"), question):
            assert past.live(past.end) is None
            return
        (row,), _ = answer_at(question)
        live = past.live(hour)
        assert row.get("sha") == (None if live is None else past.shas[live])
        assert (row["state"] == "live") == (live is not None)
        if live is None:
            assert "open" not in row and not at_findings(question)[0]
            return
        commit = past.commits[live]
        since = max(one.end for one in past.attempts if one.outcome is LIVE and one.end <= hour and _began(past, one))
        assert (row["live_from"], row["hours_live"]) == (at(since).isoformat(), hour - since)
        if commit.scanned in (NONE, FAILED):
            assert row.get("open") is row.get("gaps") is None, "no scan is neither zero findings nor zero gaps"
            return
        read = [one for one in commit.there if one.file_path != commit.scanned]
        accepted = [one for one in read if one.is_open and hides and one.check_id == "CKV_b"]
        still_open = [one for one in read if one.is_open and one not in accepted]
        found, _ = at_findings(question)
        unread = [one for one in found if one["last_read"] is not None]
        assert {one["file_path"] for one in unread} <= {commit.scanned}
        scanned = [one for one in past.commits[:live] if one.scanned not in (NONE, FAILED, commit.scanned)]
        if commit.scanned and scanned:
            known = {one.check_id for one in scanned[-1].there if one.file_path == commit.scanned}
            assert {one["check_id"] for one in unread} >= known, "what stood before the gap stands in it"
        sighted = [one for one in found if one["last_read"] is None]
        counts = Counter(one["severity"] for one in sighted if one["status"] == "open")
        assert counts == Counter(one.severity.value for one in still_open)
        beyond = row["hidden_in_code"] - sum(not one.is_open for one in read)
        assert 0 <= beyond <= sum(one["status"] != "open" for one in unread), "what is hidden in a gap stands, too"
        assert (row["accepted"], row["suppressions"]) == (len(accepted), int(hides)) or commit.scanned
        assert row["open"] == sum(one["status"] == "open" for one in found)
        assert row["gaps"] == bool(commit.scanned) == len(at_gaps(question)[0])


def _began(past: Past, one: Attempt) -> bool:
    """Whether another commit was live right before."""
    before = [each for each in past.attempts if each.outcome is LIVE]
    place = before.index(one)
    return place == 0 or before[place - 1].commit != one.commit


TWO = Past(
    (Made(WHOLE, ALL_OPEN), Made("two.tf", ("absent",) * len(POOL))),
    (Attempt(0, LIVE, 100, 101), Attempt(1, LIVE, 200, 203), Attempt(0, Outcome.FAILED, 210, 212)),
)


def summary(when: str, hour: float = 300) -> dict:
    with recorded(TWO) as line:
        rows, _ = answer(asked_as("at"), asked(line, hour, when=when))
        return rows[0]


@pytest.mark.parametrize(
    ("when", "moment"),
    [
        ("2024-01-05T05:00", at(101)),
        ("2024-01-05T07:00+02:00", at(101)),
        ("2024-01-05 05:00Z", at(101)),
        ("2024-01-06", datetime(2024, 1, 6, 23, 59, 59, 999999, tzinfo=UTC)),
        ("2024-01-13", at(300)),
        ("", at(300)),
        ("1" * 40, at(24)),
        ("0001-01-01T00:00+12:00", datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_time_in_any_zone_a_day_which_is_its_end_or_the_time_of_a_commit(
    when: str, moment: datetime
) -> None:
    assert summary(when)["at"] == moment.isoformat()


def test_the_first_second_of_a_deployment_is_its_own_and_the_one_before_is_not() -> None:
    assert summary(at(101).isoformat())["sha"] == TWO.shas[0]
    before = summary((at(101) - timedelta(seconds=1)).isoformat())
    assert before["state"] == "before the first deployment, which was healthy on 2024-01-05 05:00 UTC"
    assert (before.get("open"), before["under_way"]) == (None, TWO.shas[0])


def test_the_future_is_refused_and_named() -> None:
    for when in ("2024-01-14", at(301).astimezone(timezone(timedelta(hours=9))).isoformat()):
        with pytest.raises(NotThereError, match="is in the future: it is 2024-01-13T12:00 UTC now"):
            summary(when)


def test_an_attempt_after_which_nobody_knows_what_ran_is_named() -> None:
    assert summary(at(211).isoformat())["doubt"] is None and summary(at(211).isoformat())["under_way"] == TWO.shas[0]
    assert f"of {TWO.shas[0][:12]}, ended as failed" in summary(at(212).isoformat())["doubt"]


def test_the_gate_of_now_judges_what_was_live_then_and_the_gap_is_counted() -> None:
    row = summary(at(203).isoformat())
    assert (row["gate"], row["gaps"], row["scan"], row["not_read"]) == ("stopped", 1, "partial", 3)
    assert "its scan is partial" in row["gate_reason"] and row["deployed_by"] == "by hand"
    assert summary(at(102).isoformat())["gate"] == "passed"


@pytest.mark.parametrize(("evidence", "files"), [(Evidence(7), 7), (None, None)])
def test_of_a_scan_that_failed_every_file_that_it_should_have_read_is_a_gap(
    evidence: Evidence | None, files: int | None
) -> None:
    crashed = FrameworkScan("terraform", "crashed", ScanStatus.FAILED, (), reason="it crashed", evidence=evidence)
    with recorded(TWO) as line:
        line.history.record_scan("p", Scan(TWO.shas[1], (crashed,), "3", "c", at(1), 1.0))
        question = asked(line, 300, when=at(203).isoformat())
        (row,), ((gap,), _) = answer_at(question)[0], at_gaps(question)
    assert (row.get("gaps"), gap["files"], gap["file_path"]) == (files, files, "*")


def test_without_a_scan_there_are_no_gaps_to_count() -> None:
    with recorded(replace(TWO, commits=(Made(NONE, ALL_OPEN), TWO.commits[1]))) as line:
        (row,), (gaps, _) = answer_at(asked(line, 300, when=at(102).isoformat()))[0], at_gaps(asked(line, 102))
    assert (row["scan"], row.get("gaps"), row.get("accepted_gaps"), gaps) == ("none", None, None, [])


def deployed_by(start: float, end: float, outcome: StageOutcome) -> tuple[str, str | None]:
    """What is said of the second deployment, from hour 200 to 203, beside one stage of a run."""
    with recorded(TWO) as line:
        line.history.record_stage("p", TWO.shas[1], "deployment", outcome, at(start), at(end), "run-1", "")
        (row,), _ = answer_at(asked(line, 300, when=at(203).isoformat()))
    return row["deployed_by"], row["run_id"]


@pytest.mark.parametrize(
    ("start", "end", "outcome", "said"),
    [
        (199.9, 203.1, StageOutcome.SUCCEEDED, ("pipeline", "run-1")),
        (200, 203, StageOutcome.FAILED, ("pipeline", "run-1")),
        (199.9, 203.1, StageOutcome.SKIPPED, ("by hand", None)),
        (199, 202, StageOutcome.SUCCEEDED, ("by hand", None)),
        (201, 204, StageOutcome.SUCCEEDED, ("by hand", None)),
        (150, 151, StageOutcome.SUCCEEDED, ("by hand", None)),
    ],
)
def test_the_pipeline_brought_what_became_live_within_a_stage_of_its_own(
    start: float, end: float, outcome: StageOutcome, said: tuple[str, str | None]
) -> None:
    assert deployed_by(start, end, outcome) == said


def test_suppressions_are_those_that_were_valid_then() -> None:
    with recorded(TWO) as line:
        rules = ProjectRules(suppressions=(DAY_OF_B, replace(DAY_OF_B, check="CKV_none")), mirror=line.mirror)
        then = [at_suppressions(_asked(line, rules, when))[0] for when in ("2024-01-06", "2024-01-07")]
    assert [[(row["check_id"], row["findings"], row["owner"]) for row in rows] for rows in then] == [
        [("CKV_b", 1, "ops"), ("CKV_none", 0, "ops")],
        [],
    ]


def _asked(line: object, rules: ProjectRules, when: str) -> Asked:
    return asked(line, 300, rules, when=when)
