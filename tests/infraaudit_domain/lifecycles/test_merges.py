"""Whose doing it was that a merge brought a finding or its absence: against a brute force over random graphs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.lifecycles.causes import Circumstances
from infraaudit_domain.lifecycles.merges import doers
from infraaudit_domain.lifecycles.readings import PartReading, Reading
from infraaudit_domain.scans.findings import Finding, FindingStatus
from tests.sizes import examples

FINDING = Finding("terraform", "CKV_1", "n", "main.tf", "r", 1, 2)
EVENTS: Mapping[str, tuple[Finding, Finding | None, str]] = {
    "introduced": (FINDING, None, "fixed"),
    "suppressed": (replace(FINDING, status=FindingStatus.SUPPRESSED), FINDING, "unsuppressed"),
    "moved": (FINDING, replace(FINDING, file_path="old.tf"), "moved"),
}
"""By event: a commit's finding after it, before it, and the event that leads back."""


@dataclass(frozen=True)
class Made:
    """How one commit is made: from which earlier ones, and whether it is as its parents are or decides anew."""

    parents: tuple[int, ...]
    decides: bool | None
    is_scanned: bool


@st.composite
def graphs(draw: st.DrawFn) -> list[Made]:
    made = [Made((), draw(st.booleans()), True)]
    for number in range(1, draw(st.integers(3, 14))):
        count = draw(st.sampled_from([1, 1, 1, 2, 2, 3]))
        parents = draw(st.lists(st.integers(max(0, number - 5), number - 1), min_size=count, max_size=count))
        decides = draw(st.sampled_from([None, None, True, False]))
        made.append(Made(tuple(dict.fromkeys(parents)), decides, draw(st.sampled_from([True, True, True, False]))))
    return made


class Repository:
    """A graph of commits: what each has, and who is whose ancestor."""

    def __init__(self, made: list[Made], *, all_scanned: bool) -> None:
        self.made = made
        self.scanned = [all_scanned or one.is_scanned for one in made]
        self.has: list[bool] = []
        self.ancestors: list[frozenset[int]] = []
        for number, one in enumerate(made):
            inherited = self.has[one.parents[-1]] if one.parents else False
            self.has.append(inherited if one.decides is None else one.decides)
            self.ancestors.append(frozenset({number}).union(*(self.ancestors[p] for p in one.parents)))

    def truth(self, merge: int) -> set[int]:
        """Those in the state of the merge whose parents are all in the other, reached through commits in that state;
        the merge itself where a branch has only kept what was so before it was made."""
        state, brought = self.has[merge], self.ancestors[merge] - self.ancestors[self.made[merge].parents[0]]
        found, seen, waiting = set(), set(), [merge]
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            parents = self.made[number].parents[1:] if number == merge else self.made[number].parents
            alike = [parent for parent in parents if self.has[parent] == state]
            found |= {merge for parent in alike if parent not in brought}
            waiting += [parent for parent in alike if parent in brought]
            if not alike:
                found.add(number)
        return found


class Graph:
    def __init__(self, repository: Repository, merge: int, event: str) -> None:
        self.repository, self.merge, self.event = repository, merge, event

    def side(self) -> dict[str, list[str]]:
        made, ancestors = self.repository.made, self.repository.ancestors
        brought = ancestors[self.merge] - ancestors[made[self.merge].parents[0]] - {self.merge}
        return {str(number): [str(parent) for parent in made[number].parents] for number in sorted(brought)}

    def reading(self, sha: str) -> Reading | None:
        if not self.repository.scanned[int(sha)]:
            return None
        after, before, _ = EVENTS[self.event]
        finding = after if self.repository.has[int(sha)] else before
        found = {finding.fingerprint: finding} if finding else {}
        return Reading(sha, 0, found, {"terraform": PartReading()}, Circumstances("3", "c"))

    def old_paths(self, parent: str, child: str) -> dict[str, str]:
        return {}


def answers(repository: Repository, event: str) -> list[tuple[int, str | None]]:
    """Every merge that differs from its first parent, with the commit that is named for it."""
    found = []
    for number, one in enumerate(repository.made):
        if len(one.parents) > 1 and repository.has[number] != repository.has[one.parents[0]]:
            others = [str(parent) for parent in one.parents[1:]]
            after, before, back = EVENTS[event]
            word = event if repository.has[number] else back
            finding = after if repository.has[number] or before is None else before
            marks = {finding.fingerprint: finding}
            named = doers(marks, word, str(number), others, Graph(repository, number, event))
            found.append((number, named.get(finding.fingerprint)))
    return found


@given(graphs(), st.sampled_from(sorted(EVENTS)))
@examples(120)
def test_where_every_commit_is_scanned_the_first_that_did_it_is_named(made: list[Made], event: str) -> None:
    repository = Repository(made, all_scanned=True)
    for merge, sha in answers(repository, event):
        assert sha is not None
        assert int(sha) == min(repository.truth(merge))


@given(graphs(), st.sampled_from(sorted(EVENTS)))
@examples(120)
def test_where_some_are_not_scanned_a_name_is_true_or_missing(made: list[Made], event: str) -> None:
    repository = Repository(made, all_scanned=False)
    for merge, sha in answers(repository, event):
        assert sha is None or int(sha) in repository.truth(merge)
