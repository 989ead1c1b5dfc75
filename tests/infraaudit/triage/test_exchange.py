"""What a file of decisions may say of the past, and what it may not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit.questions.decided.answers import triage
from infraaudit.triage.exchange import take_in
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.judging.triage import Action, Ruling
from tests.infraaudit.scans.made_scans import finding
from tests.infraaudit.test_gate import Release
from tests.infraaudit.triage.test_triage import ACCEPT, EVE, NOW, asked, ruled
from tests.infraaudit.triage.test_triage import history as history
from tests.infraaudit.triage.test_triage import release as release

X = finding("x").fingerprint


def imported(release: Release, file: Path, entry: str, now: datetime = NOW) -> int:
    file.write_text(f"suppressions:\n- {{id: {X}, reason: r, owner: ops, {entry}}}\n")
    return take_in(release.history, asked(release).line, file, EVE, now, False).recorded


def hides(release: Release, moment: datetime) -> bool:
    (*_, one) = asked(release).rules.suppressions
    return one.counts_at(moment)


def test_a_file_does_not_change_what_counted_before_it_was_imported(release: Release, tmp_path: Path) -> None:
    release.commit(finding("x"))
    assert imported(release, tmp_path / "p.yaml", "expires: 2023-12-01, by: bob, at: 2023-11-01T00:00:00Z") == 1
    assert [hides(release, NOW + timedelta(hours=hours)) for hours in (-300, -1, 0, 5)] == [False, False, True, True]
    ((row,), _) = triage(asked(release))
    assert (row["by"], row["imported_by"], row["imported_at"]) == ("bob", "eve", NOW)
    assert row["at"] == datetime(2023, 11, 1, tzinfo=UTC)
    (one,) = asked(release).rules.suppressions
    assert one.by == "bob (imported by eve)"


def test_what_is_imported_later_takes_the_place_of_what_stood(release: Release, tmp_path: Path) -> None:
    release.commit(finding("x"))
    ruled(release, ACCEPT, X)
    later = NOW + timedelta(hours=1)
    imported(release, tmp_path / "p.yaml", "expires: 2023-11-25, by: bob, at: 2023-11-01T00:00:00Z", later)
    (new, old), _ = triage(asked(release))
    assert (old["reason"], old["state"], old["ended_at"]) == (ACCEPT.reason, "replaced", later)
    assert old["ended_by"] == "bob (imported by eve)" and (new["reason"], new["state"]) == ("r", "standing")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("expires: 2023-12-01, at: 2023-11-20T12:00:01Z", "still to come"),
        ("expires: 2023-12-01, since: 2023-11-21", "still to come"),
        ("expires: 9999-12-31", "the last day is missing"),
        ("expires: 2023-11-19", "is over"),
    ],
)
def test_what_nobody_could_decide_here_is_not_imported(release: Release, tmp_path: Path, entry: str, said: str) -> None:
    release.commit(finding("x"))
    with pytest.raises(ConfigurationError, match=f"{X}.*{said}"):
        imported(release, tmp_path / "p.yaml", entry)
    assert triage(asked(release)) == ([], 0)


def test_what_was_undone_may_be_imported_again_where_the_file_names_no_moment(release: Release, tmp_path: Path) -> None:
    release.commit(finding("x"))
    entry, dated = "expires: 2023-12-01", "expires: 2023-12-01, at: 2023-11-19T00:00:00Z"
    assert [imported(release, tmp_path / "p.yaml", each) for each in (entry, entry, dated)] == [1, 0, 1]
    ruled(release, Ruling(Action.UNDO), X, now=NOW + timedelta(hours=1))
    later = NOW + timedelta(hours=2)
    assert imported(release, tmp_path / "p.yaml", dated, later) == 0, "it is that decision, which was undone"
    assert imported(release, tmp_path / "p.yaml", entry, later) == 1
    assert hides(release, later) and not hides(release, NOW + timedelta(hours=1))
