"""Triage over a real repository and history: its effect on the gate, through renames; exchange; what cannot be changed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from infraaudit.accepted import suppressions_by, triaged
from infraaudit.questions.asked import Asked
from infraaudit.questions.export import Exchange, exported
from infraaudit.scans.lifecycles import Line
from infraaudit.triage.deciding import Decided, decide
from infraaudit.triage.exchange import TakenIn, exported_decisions, take_in
from infraaudit_domain.errors import ConfigurationError, HistoryError, NotThereError
from infraaudit_domain.judging.audit_log import Actor, Via
from infraaudit_domain.judging.triage import LONGEST_REASON, Action, Ruling
from infraaudit_domain.reporting.remedies import NO_REMEDIES
from resources.history import History, schema
from resources.history.decisions.audit_log import log_rows, prune_log
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding, scan
from tests.infraaudit.test_gate import PROJECT, Release
from tests.resources.databases import DATABASES, fresh_history

NOW = datetime(2023, 11, 20, 12, tzinfo=UTC)
EVE = Actor("eve", Via.CLI, "a terminal")
ACCEPT = Ruling(Action.ACCEPT, "behind the VPN", "ops", date(2023, 12, 1))


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


@pytest.fixture
def release(history: History, repository: Repository, tmp_path: Path) -> Release:
    made = Release(history, repository, tmp_path / "configs")
    history.record_project(PROJECT)
    made.deploy(made.commit())
    return made


def asked(release: Release, now: datetime = NOW, **given: str) -> Asked:
    from infraaudit.questions.asked import ProjectRules

    line = Line(release.history, release.repository.mirror(), "p", "main").follow()
    accepted = suppressions_by(release.history, release.configs, "p")
    return Asked(line, ProjectRules(suppressions=accepted), now, given)


def ruled(
    release: Release, ruling: Ruling, *ids: str, now: datetime = NOW, dry_run: bool = False, **given: str
) -> Decided:
    return decide(asked(release, now, **given), ids, ruling, EVE, dry_run)


def test_what_is_accepted_passes_the_gate_until_it_is_undone_or_runs_out(release: Release) -> None:
    sha, mark = release.commit(finding("x")), finding("x").fingerprint
    assert not release.judge(sha, NOW).passed
    assert ruled(release, ACCEPT, mark[:8], dry_run=True).findings == 1
    assert not release.judge(sha, NOW).passed, "a dry run records nothing"
    done = ruled(release, ACCEPT, mark[:8])
    assert (done.findings, done.unchanged, done.recorded) == (1, 0, True)
    assert release.judge(sha, NOW).passed
    assert ruled(release, ACCEPT, mark).unchanged == 1, "the same again is nothing new"
    assert not release.judge(sha, NOW + timedelta(days=12)).passed
    ruled(release, Ruling(Action.UNDO), mark, now=NOW + timedelta(hours=1))
    assert not release.judge(sha, NOW + timedelta(hours=1)).passed
    with pytest.raises(NotThereError, match="Nothing is decided"):
        ruled(release, Ruling(Action.UNDO), mark, now=NOW + timedelta(hours=2))


def test_a_file_that_is_renamed_takes_its_decisions_along_and_a_new_one_of_its_name_does_not(release: Release) -> None:
    release.repository.write({"main.tf": "resource {\n  name = 1\n}\n" * 9}, "a file")
    release.commit(finding("x"))
    ruled(release, ACCEPT, finding("x").fingerprint)
    release.repository.git("mv", "main.tf", "moved.tf")
    moved = release.commit(finding("x", path="moved.tf"))
    assert release.judge(moved, NOW).passed
    ruled(release, Ruling(Action.UNDO), finding("x", path="moved.tf").fingerprint, now=NOW + timedelta(hours=1))
    assert not release.judge(moved, NOW + timedelta(hours=1)).passed
    ruled(release, ACCEPT, finding("x", path="moved.tf").fingerprint, now=NOW + timedelta(hours=2))
    copied = release.commit(finding("x", path="moved.tf"), finding("x"))
    verdict = release.judge(copied, NOW + timedelta(hours=3))
    assert [one.file_path for one in verdict.findings] == ["main.tf"], verdict.reasons


def test_in_bulk_by_a_filter_and_never_without_one(release: Release) -> None:
    sha = release.commit(*(finding(name) for name in "abc"), finding("d", path="other.tf"))
    with pytest.raises(ConfigurationError, match="Name the findings"):
        ruled(release, ACCEPT, status="open")
    assert ruled(release, ACCEPT, path="main.tf", dry_run=True).findings == 3
    assert ruled(release, ACCEPT, path="main.tf").findings == 3
    assert [one.file_path for one in release.judge(sha, NOW).findings] == ["other.tf"]
    (one,) = triaged(release.history, "p")
    assert len(one.names) == 3, "one rule for all of them, however many there are"
    assert ruled(release, Ruling(Action.UNDO), check="CKV_1", now=NOW + timedelta(hours=1)).findings == 3
    (_, latest), *_ = [log_rows(release.history, "p", most=1)]
    assert (latest[0]["act"], latest[0]["actor"], latest[0]["subject"]) == ("triage", "eve", "check CKV_1")


def test_a_false_positive_is_told_as_one_to_other_tools(release: Release) -> None:
    sha = release.commit(finding("x"))
    ruled(release, Ruling(Action.FALSE_POSITIVE, "it is a test"), finding("x").fingerprint)
    stored = release.history.scan("p", sha)
    assert stored is not None
    hiding = suppressions_by(release.history, release.configs, "p")
    text = exported(Exchange.CYCLONEDX, "p", "", stored, hiding, NOW.date(), NO_REMEDIES)
    assert json.loads(text)["vulnerabilities"][0]["analysis"] == {"state": "false_positive", "detail": "it is a test"}
    (row,) = json.loads(exported(Exchange.JSON, "p", "", stored, hiding, NOW.date(), NO_REMEDIES))
    assert (row["status"], row["suppressed_by"]) == ("suppressed", "triage")


def test_what_stands_goes_to_a_file_and_comes_back_the_same_and_once(
    release: Release, tmp_path: Path, needs: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    sha, file = release.commit(finding("a"), finding("b"), finding("c")), tmp_path / "p.yaml"
    a, b, c = (finding(name).fingerprint for name in "abc")
    ruled(release, ACCEPT, a)
    ruled(release, Ruling(Action.FALSE_POSITIVE, "a: b # 'c' é"), b)
    ruled(release, Ruling(Action.ASSIGN, "", "ada"), c)
    text = exported_decisions(release.history, "p")
    file.write_text(text)
    assert take_in(release.history, asked(release).line, file, EVE, NOW, False) == TakenIn(0, 3, 0, 0)
    (tmp_path / "fresh").mkdir()
    for other in fresh_history("sqlite", tmp_path / "fresh", needs, request):
        fresh = Release(other, release.repository, tmp_path / "fresh/configs")
        other.record_project(PROJECT)
        other.record_commit("p", release.repository.mirror().commit(sha))
        other.record_scan("p", scan(sha, [finding("a"), finding("b"), finding("c")]))
        line = asked(fresh).line
        assert take_in(other, line, file, EVE, NOW, True).recorded == 3
        assert take_in(other, line, file, EVE, NOW, False) == TakenIn(3, 0, 0, 0)
        assert exported_decisions(other, "p") == text
        here = [replace(one, by="eve (imported by eve)") for one in triaged(release.history, "p")]
        assert triaged(other, "p") == here
        (fresh.configs / "suppressions/p.yaml").write_text(text)
        both = suppressions_by(other, fresh.configs, "p")
        assert sorted(one.source for one in both) == ["file", "file", "triage", "triage"]
        file.write_text("suppressions:\n- {id: abcdefabcdef, reason: r, owner: o, expires: 2027-01-01}\n"
                        "- {check: CKV_9, reason: r, owner: o, expires: 2027-01-01}\n")  # fmt: skip
        assert take_in(other, line, file, EVE, NOW, False) == TakenIn(0, 0, 1, 1)


def test_the_longest_reason_goes_through_a_file_that_the_gate_reads(release: Release) -> None:
    sha = release.commit(finding("x"))
    ruled(release, replace(ACCEPT, reason="r" * LONGEST_REASON), finding("x").fingerprint)
    (release.configs / "suppressions").mkdir(parents=True, exist_ok=True)
    (release.configs / "suppressions/p.yaml").write_text(exported_decisions(release.history, "p"))
    assert release.judge(sha, NOW).passed


@pytest.mark.parametrize("table", [schema.triage_events, schema.audit_log, schema.audit_retention])
def test_the_database_lets_nobody_change_or_delete_what_was_done(release: Release, table: sa.Table) -> None:
    release.commit(finding("x"))
    ruled(release, ACCEPT, finding("x").fingerprint)
    prune_log(release.history, datetime(2000, 1, 1, tzinfo=UTC), EVE)
    before = release.history.rows(sa.select(table))
    assert before
    column = next(each.name for each in table.columns if isinstance(each.type, sa.String))
    for statement in (table.update().values({column: "x"}), table.delete()):
        with pytest.raises(HistoryError, match="append-only"), release.history.writing() as connection:
            connection.execute(statement)
    assert release.history.rows(sa.select(table)) == before


@pytest.mark.parametrize("table", [schema.triage_events, schema.audit_log, schema.audit_retention])
def test_no_row_takes_the_place_of_another(release: Release, table: sa.Table) -> None:
    release.commit(finding("x"))
    ruled(release, ACCEPT, finding("x").fingerprint)
    prune_log(release.history, datetime(2000, 1, 1, tzinfo=UTC), EVE)
    (row, *_) = before = release.history.rows(sa.select(table))
    column = next(each.name for each in table.columns if isinstance(each.type, sa.String))
    other = table.insert().prefix_with("OR REPLACE", dialect="sqlite").values(dict(row) | {column: "x"})
    with pytest.raises(HistoryError), release.history.writing() as connection:
        connection.execute(other)
    assert release.history.rows(sa.select(table)) == before


def test_only_retention_shortens_the_log_and_says_so_in_it(release: Release) -> None:
    release.commit(finding("x"))
    ruled(release, ACCEPT, finding("x").fingerprint)
    later = datetime.now(UTC) + timedelta(seconds=1)
    assert prune_log(release.history, later, EVE) == 1
    total, (row,) = log_rows(release.history, "p", most=9)
    assert (total, row["act"], row["actor"]) == (1, "prune", "eve") and "1 lines before" in row["details"]
