"""Which commit of a merged branch introduced or fixed what a merge brought to a line of commits.

A commit did it that has the new state of a finding while none of its parents has: on the branch, or the merge itself
(an evil merge). Deliberately absent: deciding that the merge changed anything against its first parent (lifecycle.py).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from infraaudit_domain.findings import Finding
from infraaudit_domain.readings import Reading, proves_lack


class Graph(Protocol):
    """The commits that a merge brought, and their parents."""

    def side(self) -> Mapping[str, Sequence[str]]:
        """Those that its first parent has not, parents first, each with its parents."""

    def reading(self, sha: str) -> Reading | None: ...

    def old_paths(self, parent: str, child: str) -> Mapping[str, str]:
        """The files that were renamed between two commits: old path by new."""


def doers(
    findings: Mapping[str, Finding], is_there: bool, merge: str, parents: Sequence[str], graph: Graph
) -> dict[str, str]:
    """The commit that brought each finding (or, with ``is_there`` false, its absence), as far as that is known.

    ``parents`` are the merge's parents without the first, which is known to be in the other state.
    """
    return _Walk(is_there, merge, graph).from_merge(findings, parents)


def unread(finding: Finding, is_there: bool, merge: str, parents: Sequence[str], graph: Graph) -> list[str]:
    """The commits that have to be read next to name the one that brought a finding; nothing where it is known."""
    walk = _Walk(is_there, merge, graph)
    walk.from_merge({finding.fingerprint: finding}, parents)
    return list(dict.fromkeys(walk.unread))


@dataclass(slots=True)
class _Walk:
    is_there: bool
    merge: str
    graph: Graph
    found: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unknown: set[str] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)
    """The parents of which it is not known whether they have what their child has."""
    pending: dict[str, dict[str, Finding]] = field(default_factory=lambda: defaultdict(dict))
    """By commit that is in the new state: the findings to follow further back, by their fingerprint at the merge."""

    def from_merge(self, findings: Mapping[str, Finding], parents: Sequence[str]) -> dict[str, str]:
        side = self.graph.side()
        self._go_back(self.merge, findings, parents, side)
        for sha in reversed(list(side)):
            if arriving := self.pending.pop(sha, None):
                self._go_back(sha, arriving, side[sha], side)
        order = {sha: number for number, sha in enumerate([*side, self.merge])}
        return {
            mark: min(commits, key=order.__getitem__)
            for mark, commits in self.found.items()
            if mark not in self.unknown
        }

    def _go_back(
        self, child: str, findings: Mapping[str, Finding], parents: Sequence[str], side: Mapping[str, Sequence[str]]
    ) -> None:
        readings = {parent: self.graph.reading(parent) for parent in parents}
        for mark, finding in findings.items():
            then = {parent: self._named(parent, child, finding, readings[parent]) for parent in parents}
            states = {parent: _state(readings[parent], named) for parent, named in then.items()}
            alike = [parent for parent, state in states.items() if state is self.is_there]
            for parent in alike:
                if parent in side:
                    self.pending[parent][mark] = then[parent]
                else:
                    # The branch has only kept what was so before it was made: the merge decided for it.
                    self.found[mark].append(self.merge)
            if not alike and None in states.values():
                self.unknown.add(mark)
                self.unread += [parent for parent, state in states.items() if state is None]
            elif not alike:
                self.found[mark].append(child)

    def _named(self, parent: str, child: str, finding: Finding, reading: Reading | None) -> Finding:
        if reading is None or finding.fingerprint in reading.findings:
            return finding
        old = self.graph.old_paths(parent, child).get(finding.file_path)
        return finding if old is None else replace(finding, file_path=old)


def _state(reading: Reading | None, finding: Finding) -> bool | None:
    """Whether a commit has a finding; None where that is not known."""
    if reading is None:
        return None
    if finding.fingerprint in reading.findings:
        return True
    return False if proves_lack(reading, finding) else None
