"""Which commit of a merged branch introduced, fixed, moved or suppressed what a merge brought to a line of commits.

A commit did it that has the new state of a finding while none of its parents has: on the branch, or the merge itself
(an evil merge). Deliberately absent: deciding that the merge changed anything against its first parent (lifecycle.py).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from infraaudit_domain.lifecycles.readings import Reading, proves_lack
from infraaudit_domain.lifecycles.spans import FIXED, HIDDEN_OR_SHOWN, MOVED
from infraaudit_domain.lifecycles.successors import are_alike, successors
from infraaudit_domain.scans.findings import Finding


class Graph(Protocol):
    """The commits that a merge brought, and their parents."""

    def side(self) -> Mapping[str, Sequence[str]]:
        """Those that its first parent has not, parents first, each with its parents."""

    def reading(self, sha: str) -> Reading | None: ...

    def old_paths(self, parent: str, child: str) -> Mapping[str, str]:
        """The files that were renamed between two commits: old path by new."""


def doers(
    findings: Mapping[str, Finding], event: str, merge: str, parents: Sequence[str], graph: Graph
) -> dict[str, str]:
    """The commit whose doing an event was (spans.py), by finding, as it is after the event, as far as that is known.

    ``parents`` are the merge's parents without the first, which is known to be in the other state.
    """
    return _Walk(event, merge, graph).from_merge(findings, parents)


def unread(finding: Finding, event: str, merge: str, parents: Sequence[str], graph: Graph) -> list[str]:
    """The commits that have to be read next to name the one whose doing an event was; nothing where it is known."""
    walk = _Walk(event, merge, graph)
    walk.from_merge({finding.fingerprint: finding}, parents)
    return list(dict.fromkeys(walk.unread))


@dataclass(slots=True)
class _Walk:
    event: str
    merge: str
    graph: Graph
    found: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unknown: set[str] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)
    """The parents of which it is not known whether they are as their child is."""
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
        named = {parent: self._named(parent, child, findings, readings[parent]) for parent in parents}
        for mark in findings:
            then = {parent: named[parent][mark] for parent in parents}
            states = {parent: self._is_after(readings[parent], named) for parent, named in then.items()}
            alike = [parent for parent, state in states.items() if state]
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

    def _named(
        self, parent: str, child: str, findings: Mapping[str, Finding], reading: Reading | None
    ) -> dict[str, Finding]:
        """Each finding, by its mark at the merge, under the name that it has in a parent."""
        missing = {
            mark: finding
            for mark, finding in findings.items()
            if reading is not None and finding.fingerprint not in reading.findings
        }
        if reading is None or not missing or self.event == MOVED:
            return dict(findings)
        old_paths, after = self.graph.old_paths(parent, child), self.graph.reading(child)
        checks = {(finding.framework, finding.check_id) for finding in missing.values()}
        then, now = (_of_checks(one.findings if one else {}, checks) for one in (reading, after))
        moved = successors(then, now, {old: new for new, old in old_paths.items()})
        forms = {new.fingerprint: then[old] for old, new in moved.items()}
        lost = [finding for mark, finding in then.items() if mark not in now and mark not in moved]
        older = {mark: finding.after(old_paths) for mark, finding in missing.items()}
        if self.event != FIXED:
            older |= {mark: forms[f.fingerprint] for mark, f in missing.items() if f.fingerprint in forms}
        else:
            older = {mark: next((f for f in lost if are_alike(f, old)), old) for mark, old in older.items()}
        return {**findings, **older}

    def _is_after(self, reading: Reading | None, finding: Finding) -> bool | None:
        """Whether a commit is in the state after the event; None where that is not known.

        For a move that is the name alone, for a comment or a configuration that hides or shows a finding its status.
        """
        there = _state(reading, finding)
        if self.event == FIXED:
            return None if there is None else not there
        if there and reading is not None and self.event in HIDDEN_OR_SHOWN:
            return reading.findings[finding.fingerprint].status is finding.status
        return there


def _of_checks(findings: Mapping[str, Finding], checks: Collection[tuple[str, str]]) -> dict[str, Finding]:
    return {mark: finding for mark, finding in findings.items() if (finding.framework, finding.check_id) in checks}


def _state(reading: Reading | None, finding: Finding) -> bool | None:
    """Whether a commit has a finding; None where that is not known."""
    if reading is None:
        return None
    if finding.fingerprint in reading.findings:
        return True
    return False if proves_lack(reading, finding) else None
