"""Commits are scanned in part, files are unread at random: what lifecycles say contains what really happened.

The truth is a set of resources for each commit, each with one finding; files are renamed, and resources come, go and
come again. Nothing is shared with the code under test but the identity of findings.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.lifecycles.causes import Circumstances
from infraaudit_domain.lifecycles.lifecycle import advance, after
from infraaudit_domain.lifecycles.readings import PartReading, Reading
from infraaudit_domain.lifecycles.spans import Span, Step
from infraaudit_domain.scans.evidence import Evidence
from infraaudit_domain.scans.findings import Finding
from tests.infraaudit_domain.lifecycles.line_past import LinePast
from tests.sizes import examples

RESOURCES = {"a1": "a", "a2": "a", "b1": "b"}
"""Each resource belongs to one file, whatever that is called at the time."""


@dataclass(frozen=True)
class Commit:
    toggled: str
    """A resource that comes or goes with it; empty for none."""
    renamed: str
    """A file that it renames; empty for none."""
    is_scanned: bool
    unread: frozenset[str]
    """The files that its scan does not read."""
    passes: bool
    """Whether a resource that is gone is one that passes now, and not one that was deleted."""


commits = st.lists(
    st.builds(
        Commit,
        toggled=st.sampled_from(["", *RESOURCES]),
        renamed=st.sampled_from(["", "", "", "a", "b"]),
        is_scanned=st.booleans(),
        unread=st.frozensets(st.sampled_from("ab"), max_size=2),
        passes=st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@dataclass
class Truth:
    """What is there after each commit, and what a scan of it would say."""

    history: list[Commit]
    has: list[frozenset[str]] = field(default_factory=list)
    paths: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        there, versions = frozenset[str](), {"a": 0, "b": 0}
        for commit in self.history:
            there ^= {commit.toggled} - {""}
            if commit.renamed:
                versions[commit.renamed] += 1
            self.has.append(there)
            self.paths.append({name: f"{name}{version}.tf" for name, version in versions.items()})

    def renames(self, old: int, new: int) -> dict[str, str]:
        pairs = ((self.paths[old][name], self.paths[new][name]) for name in "ab")
        return {before: now for before, now in pairs if before != now}

    def finding(self, resource: str, position: int) -> Finding:
        return Finding("terraform", "CKV_1", "n", self.paths[position][RESOURCES[resource]], resource, 1, 2)

    def reading(self, position: int) -> Reading:
        commit, paths = self.history[position], self.paths[position]
        seen = {name for name in "ab" if name not in commit.unread}
        found = [self.finding(r, position) for r in self.has[position] if RESOURCES[r] in seen]
        passed: dict[str, dict[str, frozenset[str]]] = {paths[name]: {} for name in seen}
        for resource, name in RESOURCES.items():
            if name in seen and (resource in self.has[position] or commit.passes):
                checks = frozenset[str]() if resource in self.has[position] else frozenset({"CKV_1"})
                passed[paths[name]][resource] = checks
        gaps = frozenset(paths[name] for name in commit.unread)
        return Reading(
            sha=str(position),
            position=position,
            findings={finding.fingerprint: finding for finding in found},
            parts={"terraform": PartReading(gaps, Evidence(2, passed))},
            circumstances=Circumstances("3", "c"),
            gaps=bool(gaps),
        )


@dataclass
class ScannedPast(LinePast):
    truth: Truth
    readings: list[Reading]

    def renames(self) -> dict[str, str]:
        return self.truth.renames(self.readings[-1].position, self.position) if self.readings else {}

    def earlier(self) -> Iterator[tuple[Reading, dict[str, str]]]:
        for reading in reversed(self.readings):
            paths = self.truth.renames(reading.position, self.position)
            yield reading, {new: old for old, new in paths.items()}


def followed(truth: Truth) -> tuple[list[Step], dict[str, Span], list[Reading]]:
    active: dict[str, Span] = {}
    ended: list[Span] = []
    readings: list[Reading] = []
    steps = []
    for position, commit in enumerate(truth.history):
        if not commit.is_scanned:
            continue
        now = truth.reading(position)
        step = advance(active, readings[-1] if readings else None, now, ScannedPast(ended, position, truth, readings))
        active = after(active, step)
        ended += step.ended
        readings.append(now)
        steps.append(step)
    return steps, active, readings


@given(commits)
@examples(120)
def test_every_event_lies_within_its_range(history: list[Commit]) -> None:
    truth = Truth(history)
    steps, active, readings = followed(truth)
    for step in steps:
        for span in step.started:
            resource = span.finding.resource
            if span.started_as in ("introduced", "reopened"):
                assert span.start_after is not None and span.start_after < span.start
                assert span.start_after < 0 or resource not in truth.has[span.start_after]
            if span.started_as != "moved":
                assert resource in truth.has[span.start]
        for span in step.ended:
            assert span.end is not None and span.end_after is not None and span.end_after < span.end
            assert span.finding.resource in truth.has[span.end_after]
            if span.ended_as == "fixed":
                assert span.finding.resource not in truth.has[span.end]
    for span in active.values():
        last = readings[-1].position if span.end_after is None else span.end_after
        assert span.finding.resource in truth.has[last]


@given(commits)
@examples(120)
def test_what_is_read_is_neither_missed_nor_kept_too_long(history: list[Commit]) -> None:
    truth = Truth(history)
    _, active, readings = followed(truth)
    standing = {span.finding.resource for span in active.values()}
    for resource, name in RESOURCES.items():
        reads = [reading for reading in readings if name not in truth.history[reading.position].unread]
        if reads:
            assert (resource in standing) == (resource in truth.has[reads[-1].position])
    assert len(standing) == len(active)


@given(commits)
@examples(80)
def test_with_every_commit_read_every_event_is_exact(history: list[Commit]) -> None:
    whole = [Commit(c.toggled, c.renamed, True, frozenset(), c.passes) for c in history]
    for step in followed(Truth(whole))[0]:
        assert all(span.start_after == span.start - 1 for span in step.started)
        assert all(span.end is not None and span.end_after == span.end - 1 for span in step.ended)
        assert not step.resighted
