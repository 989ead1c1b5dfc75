"""A decision in commits that are not on the deploy branch: it is about its own finding, by the name it has there."""

import pytest

from infraaudit.questions.answers import findings
from infraaudit_domain.judging.triage import Action, Event, Ruling
from infraaudit_domain.scans.findings import Finding
from resources.history.decisions.triage import record_events
from tests.infraaudit.scans.made_scans import finding
from tests.infraaudit.test_gate import Release
from tests.infraaudit.triage.test_triage import ACCEPT, EVE, NOW, asked, ruled
from tests.infraaudit.triage.test_triage import history as history
from tests.infraaudit.triage.test_triage import release as release

OLD, NEW = finding("x", path="main.tf"), finding("x", path="moved.tf")


@pytest.fixture
def renamed(release: Release) -> tuple[str, str]:
    """A commit before and one after the file was renamed, whose finding was accepted in between."""
    release.repository.write({"main.tf": "resource {\n  name = 1\n}\n" * 9}, "a file")
    before = release.commit(OLD)
    ruled(release, ACCEPT, OLD.fingerprint)
    release.repository.git("mv", "main.tf", "moved.tf")
    return before, release.commit(NEW)


def branched(release: Release, start: str, *found: Finding) -> str:
    repository = release.repository
    repository.git("checkout", "-q", "-b", f"from-{start[:7]}", start)
    sha = release.commit(*found)
    repository.git("checkout", "-q", "main")
    return sha


def hidden_in(release: Release, sha: str) -> list[str]:
    rows, _ = findings(asked(release, commit=sha, status="suppressed"))
    return [row["file_path"] for row in rows]


def test_a_name_that_was_given_up_before_the_fork_is_another_findings(
    release: Release, renamed: tuple[str, str]
) -> None:
    sha = branched(release, renamed[1], NEW, OLD)
    assert [one.file_path for one in release.judge(sha, NOW).findings] == ["main.tf"]
    assert hidden_in(release, sha) == ["moved.tf"]


def test_before_the_rename_the_first_name_is_the_findings_own(release: Release, renamed: tuple[str, str]) -> None:
    sha = branched(release, renamed[0], OLD)
    assert release.judge(sha, NOW).passed and hidden_in(release, sha) == ["main.tf"]
    both = release.commit(NEW, OLD)
    assert [one.file_path for one in release.judge(both, NOW).findings] == ["main.tf"], "on the branch it is a new one"
    assert hidden_in(release, sha) == ["main.tf"], "whoever took over the name later"


def test_what_is_decided_in_a_request_counts_there(release: Release, renamed: tuple[str, str]) -> None:
    sha = branched(release, renamed[1], NEW, OLD)
    asked(release)
    ruling = Ruling(Action.FALSE_POSITIVE, "it is a test")
    record_events(release.history, "p", [Event(OLD.fingerprint, sha, ruling, "eve", NOW)], {}, EVE, "one")
    assert hidden_in(release, sha) == ["main.tf", "moved.tf"]
