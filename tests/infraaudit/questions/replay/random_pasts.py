"""Random pasts of a project: commits with and without scans, with gaps, and deployments of every outcome."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from infraaudit.questions.asked import Asked, ProjectRules
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus, Severity, UnreadableFile
from infraaudit_domain.scans.hidings import INLINE
from resources.history import History
from tests.infraaudit.scans.made_scans import PretendMirror, finding
from tests.resources.databases import migrated_history

START = datetime(2024, 1, 1, tzinfo=UTC)
PROJECT = Project("p", "https://example.org/p.git")
POOL = [
    replace(finding(name, path), severity=severity, check_id=f"CKV_{name}")
    for name, path, severity in (
        ("a", "one.tf", Severity.CRITICAL),
        ("b", "one.tf", Severity.HIGH),
        ("c", "two.tf", Severity.HIGH),
        ("d", "two.tf", Severity.LOW),
        ("e", "two.tf", Severity.UNKNOWN),
    )
]
NONE, FAILED, WHOLE = "none", "failed", ""
"""How a commit was scanned; otherwise the file that its scan did not read."""


class Mirror(PretendMirror):
    """With names for its commits."""

    def resolve(self, given: str) -> str:
        return next(sha for sha in self.line if sha.startswith(given))


@dataclass(frozen=True)
class Made:
    """One commit: how it was scanned, and the states of the pool's findings in its code."""

    scanned: str
    states: tuple[str, ...]

    @property
    def there(self) -> list[Finding]:
        """All that is in its code, whether a scan read it or not."""
        hidden = {"status": finding("x", status="suppressed").status, "suppressed_by": INLINE}
        named = zip(POOL, self.states, strict=True)
        return [one if how == "open" else replace(one, **hidden) for one, how in named if how != "absent"]

    @property
    def open(self) -> list[Finding]:
        return [one for one in self.there if one.is_open]

    def scan(self, sha: str) -> Scan | None:
        if self.scanned == NONE:
            return None
        found = tuple(one for one in self.there if one.file_path != self.scanned)
        status, gaps = ScanStatus.COMPLETE, tuple[UnreadableFile, ...]()
        if self.scanned == FAILED:
            status, found = ScanStatus.FAILED, ()
        elif self.scanned:
            status, gaps = ScanStatus.PARTIAL, (UnreadableFile(self.scanned, "broken"),)
        part = FrameworkScan(
            "terraform",
            hashlib.sha256(repr(self).encode()).hexdigest(),
            status,
            found,
            gaps,
            reason="broken" if found != () else "",
        )
        return Scan(sha, (part,), "3", "c", START, 1.0)


@dataclass(frozen=True)
class Attempt:
    commit: int
    outcome: Outcome
    start: int
    end: int
    """Hours since START."""


@dataclass(frozen=True)
class Past:
    commits: tuple[Made, ...]
    attempts: tuple[Attempt, ...]

    @property
    def shas(self) -> list[str]:
        return [f"{number:x}" * 40 for number in range(len(self.commits))]

    @property
    def end(self) -> int:
        return self.attempts[-1].end + 5 if self.attempts else 5

    def live(self, hour: int) -> int | None:
        """The commit that was live in an hour: the last one that had become healthy."""
        healthy = [one.commit for one in self.attempts if one.outcome is Outcome.DEPLOYED and one.end <= hour]
        return healthy[-1] if healthy else None


def made(scans: st.SearchStrategy[str]) -> st.SearchStrategy[Made]:
    state = st.sampled_from(["absent", "open", "open", "suppressed"])
    return st.builds(Made, scans, st.tuples(*(state for _ in POOL)))


EVERY_SCAN = st.sampled_from([WHOLE, WHOLE, WHOLE, "one.tf", "two.tf", NONE, FAILED])


@st.composite
def pasts(draw: Any, scans: st.SearchStrategy[str] = EVERY_SCAN, most: int = 6, attempts_at_least: int = 1) -> Past:
    commits = draw(st.lists(made(scans), min_size=2, max_size=most))
    outcome = st.sampled_from([Outcome.DEPLOYED] * 4 + [*Outcome])
    gaps = st.tuples(st.integers(1, 60), st.integers(0, 3))
    drawn = draw(
        st.lists(st.tuples(st.integers(0, len(commits) - 1), outcome, gaps), min_size=attempts_at_least, max_size=8)
    )
    attempts, hour = [], 24 * len(commits)
    for commit, how, (before, length) in drawn:
        start, hour = hour + before, hour + before + length
        attempts.append(Attempt(commit, how, start, hour))
    return Past(tuple(commits), tuple(attempts))


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


@contextmanager
def recorded(past: Past) -> Iterator[Line]:
    """The past in a history of its own, its line followed; commit ``n`` was made ``n`` days after START."""
    with tempfile.TemporaryDirectory() as folder:
        history = migrated_history(Path(folder))
        history.record_project(PROJECT)
        mirror = Mirror(past.shas)
        for number, (sha, one) in enumerate(zip(past.shas, past.commits, strict=True)):
            parents, then = tuple(past.shas[max(0, number - 1) : number]), at(24 * number)
            history.record_commit("p", Commit(sha, sha, parents, f"author {number}", "a@b", then, then, "a commit"))
            if (scan := one.scan(sha)) is not None:
                history.record_scan("p", scan)
        for attempt in past.attempts:
            record(history, past, attempt)
        yield Line(history, mirror, "p", "main").follow()
        history.close()


def record(history: History, past: Past, one: Attempt, environment: str = "production") -> None:
    sha = past.shas[one.commit]
    done = Deployment("p", environment, sha, "container", one.outcome, at(one.start), at(one.end))
    if one.outcome is not Outcome.UNCHANGED or history.live("p", environment) is not None:
        history.record_deployment(done)


def asked(line: Line, hour: float, rules: ProjectRules | None = None, **given: Any) -> Asked:
    return Asked(line, rules or ProjectRules(mirror=line.mirror), at(hour), given)
