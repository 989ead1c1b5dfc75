"""Files are edited, renamed and copied at random; the lifecycles equal those of a reference that compares sets.

A file is a bag of resources, each with one finding; lines are chosen anew for every scan, in any order.
"""

import random
from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.lifecycles.causes import Circumstances
from infraaudit_domain.lifecycles.lifecycle import advance, after
from infraaudit_domain.lifecycles.readings import PartReading, Reading
from infraaudit_domain.lifecycles.spans import Span
from infraaudit_domain.scans.checkov_report import with_ordinals
from infraaudit_domain.scans.findings import Finding
from tests.infraaudit_domain.lifecycles.line_past import LinePast
from tests.sizes import examples

PATHS, RESOURCES = ("a.tf", "b.tf", "dir/c.tf"), ("x", "y", "z")
Files = dict[tuple[str, str], int]
"""How many copies of a resource a file has."""
edits = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(PATHS), st.sampled_from(RESOURCES)),
    st.tuples(st.just("remove"), st.sampled_from(PATHS), st.sampled_from(RESOURCES)),
    st.tuples(st.just("rename"), st.sampled_from(PATHS), st.sampled_from(PATHS)),
    st.tuples(st.just("shuffle"), st.just(""), st.just("")),
)
commits = st.lists(st.tuples(edits, st.sampled_from(["complete"] * 4 + ["failed"])), min_size=1, max_size=14)


@dataclass
class EditedPast(LinePast):
    renamed: dict[str, str]
    before: Reading | None

    def renames(self) -> dict[str, str]:
        return self.renamed

    def earlier(self) -> list[tuple[Reading, dict[str, str]]]:
        return [(self.before, {new: old for old, new in self.renamed.items()})] if self.before else []


@dataclass
class Lives:
    """The spans that `advance` makes of a line of commits, and the events of each step."""

    active: dict[str, Span] = field(default_factory=dict)
    ended: list[Span] = field(default_factory=list)
    before: Reading | None = None
    events: list[tuple[int, str, str, int]] = field(default_factory=list)
    """Position, event, fingerprint, position of the introduction."""

    def scan(self, position: int, findings: list[Finding], renames: dict[str, str]) -> None:
        found = {finding.fingerprint: finding for finding in findings}
        parts = {"terraform": PartReading()}
        now = Reading(str(position), position, found, parts, Circumstances("3", "c"))
        step = advance(self.active, self.before, now, EditedPast(self.ended, position, renames, self.before))
        self.ended += step.ended
        words = {"found": "introduced"}  # where the first scans failed, nobody knows better
        self.events += [
            (position, words.get(s.started_as, s.started_as), s.finding.fingerprint, s.introduced) for s in step.started
        ]
        fixed = (span for span in step.ended if span.ended_as == "fixed")
        self.events += [(position, "fixed", s.finding.fingerprint, s.introduced) for s in fixed]
        self.active, self.before = after(self.active, step), now


class Reference:
    """The same events, found by comparing sets of names; it shares only identity with the code under test."""

    def __init__(self) -> None:
        self.stands: dict[str, int] = {}
        self.fixed: dict[str, int] = {}
        self.names: dict[str, Finding] = {}
        self.events: list[tuple[int, str, str, int]] = []

    def scan(self, position: int, findings: list[Finding], renames: dict[str, str]) -> None:
        now = {finding.fingerprint: finding for finding in findings}
        left = dict(self.stands)
        stands = {mark: left.pop(mark) for mark in now if mark in left}
        for mark in list(left):
            old = self.names[mark]
            moved = replace(old, file_path=renames.get(old.file_path, old.file_path)).fingerprint
            if moved in now and moved not in stands:
                stands[moved] = left.pop(mark)
                self.events.append((position, "moved", moved, stands[moved]))
        for mark, introduced in left.items():
            self.fixed[mark] = introduced
            self.events.append((position, "fixed", mark, introduced))
        for mark in now.keys() - stands.keys():
            known = self.fixed.get(mark)
            stands[mark] = position if known is None else known
            self.events.append((position, "introduced" if known is None else "reopened", mark, stands[mark]))
        self.stands, self.names = stands, now


def scanned(files: Files, shuffle: random.Random) -> list[Finding]:
    resources = list(Counter(files).elements())
    shuffle.shuffle(resources)
    lines = [shuffle.randint(1, 500) for _ in resources]
    found = (Finding("terraform", "CKV_1", "n", path, name, line, line + 3)
             for (path, name), line in zip(resources, lines, strict=True))  # fmt: skip
    return list(with_ordinals(found))


def edited(files: Files, edit: tuple[str, str, str]) -> tuple[Files, dict[str, str]]:
    """The files after an edit, and the renames that Git would report."""
    kind, path, other = edit
    files = dict(files)
    if kind == "add":
        files[path, other] = files.get((path, other), 0) + 1
    elif kind == "remove" and files.get((path, other), 0):
        files[path, other] -= 1
    elif kind == "rename" and path in {p for p, _ in files} and other not in {p for p, _ in files}:
        return {(other if p == path else p, name): number for (p, name), number in files.items()}, {path: other}
    return {key: number for key, number in files.items() if number}, {}


def composed(first: dict[str, str], then: dict[str, str], gone: set[str]) -> dict[str, str]:
    """Renames over two steps; files created in between were in no earlier scan."""
    whole = {old: then.get(new, new) for old, new in first.items()}
    whole |= {old: new for old, new in then.items() if old not in first.values() and old not in gone}
    return {old: new for old, new in whole.items() if old != new}


@given(commits, st.randoms(use_true_random=False))
@examples(50)
def test_lives_equal_the_reference_whatever_is_edited_and_whichever_scans_fail(
    history: list[tuple[tuple[str, str, str], str]], shuffle: random.Random
) -> None:
    files: Files = {}
    renames: dict[str, str] = {}
    lives, reference = Lives(), Reference()
    for position, (edit, status) in enumerate(history):
        there = {path for path, _ in files}
        files, renamed = edited(files, edit)
        renames = composed(renames, renamed, set(PATHS) - there)
        if status == "failed":
            continue
        lives.scan(position, scanned(files, shuffle), renames)
        reference.scan(position, scanned(files, shuffle), renames)
        renames = {}
        assert sorted(lives.events) == sorted(reference.events)
        assert {mark: span.introduced for mark, span in lives.active.items()} == reference.stands
        assert sum(files.values()) == len(lives.active)


@given(st.lists(edits, max_size=10), st.randoms(use_true_random=False))
@examples(30)
def test_lines_order_and_names_of_files_begin_and_end_no_life(
    history: list[tuple[str, str, str]], shuffle: random.Random
) -> None:
    files: Files = {}
    lives = Lives()
    for position, edit in enumerate(history):
        before = len(lives.events)
        files, renamed = edited(files, edit)
        lives.scan(position, scanned(files, shuffle), renamed)
        words = [event for _, event, *_ in lives.events[before:]]
        if edit[0] == "add":
            assert words in (["introduced"], ["reopened"])  # a copy is one finding more, whichever it is a copy of
        elif edit[0] == "remove":
            assert words in (["fixed"], [])
        elif edit[0] == "rename":
            assert words == ["moved"] * (sum(n for (path, _), n in files.items() if path == edit[2]) if renamed else 0)
        else:
            assert words == []
