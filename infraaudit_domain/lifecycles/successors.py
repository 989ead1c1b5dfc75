"""Which finding of a commit is which of an earlier one under another name.

A finding keeps its life where Git says that its file was renamed, where a ``moved`` block of the commit says so, and
where its resource differs in positions, in labels of a Pod's template or in what it stands in alone. A copy is a new finding: each has one
successor at most. Deliberately absent: what follows from it (lifecycle.py, changes.py, merges.py).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from infraaudit_domain.lifecycles.moved_blocks import Move, MovedBlocks
from infraaudit_domain.scans.findings import Finding
from infraaudit_domain.scans.resource_names import (
    TERRAFORM,
    in_order,
    kind,
    label_free,
    position_free,
    scope_free,
    template_free,
)

Findings = Mapping[str, Finding]
"""By fingerprint."""
Moves = Callable[[], Sequence[Move]]


def no_moves() -> Sequence[Move]:
    """For commits that have no moved blocks."""
    return ()


def successors(
    then: Findings, now: Findings, renames: Mapping[str, str], moves: Moves = no_moves
) -> dict[str, Finding]:
    """The findings of now that were there before under other names, by their earlier fingerprints.

    ``renames`` is new path by old; ``moves`` is called only where something could have moved.
    """
    followed = {mark: finding.after(renames) for mark, finding in then.items()}
    found: dict[str, Finding] = {}
    left = _Left({mark: finding for mark, finding in followed.items() if mark not in now}, _without(now, then))
    if not (left.absent and left.fresh):
        return found
    found |= left.take((mark, finding.fingerprint) for mark, finding in left.absent.items())
    if checks := left.checks_of_terraform():
        found |= left.take(_by_blocks(left, checks, moves()))
    found |= _shifted(left, followed, now)
    found |= left.take(_alike(left.absent, left.fresh, scope_free))
    found |= left.take(_labelled(left.absent, left.fresh))
    found |= left.take(_templates(left.absent, left.fresh))
    return found


def may_have_moved(absent: Collection[Finding], fresh: Collection[Finding]) -> bool:
    """Whether some finding that is new could be one that is gone, so that it is worth asking Git."""
    kinds = {one for finding in fresh for one in _kinds(finding)}
    checks = {finding.check_id for finding in fresh if finding.framework in TERRAFORM}
    return any(not kinds.isdisjoint(_kinds(f)) or (f.framework in TERRAFORM and f.check_id in checks) for f in absent)


def _kinds(finding: Finding) -> set[tuple[str, str, str]]:
    return {kind(finding, name) for name in (scope_free, label_free, template_free)}


def are_alike(one: Finding, other: Finding) -> bool:
    """Whether two findings of a file differ in positions, labels of templates and what they stand in alone."""
    return one.file_path == other.file_path and kind(one, template_free) == kind(other, template_free)


class _Left:
    """The findings that have no partner yet, each by its fingerprint in its own commit."""

    def __init__(self, absent: dict[str, Finding], fresh: dict[str, Finding]) -> None:
        self.absent, self.fresh = absent, fresh

    def take(self, pairs: Iterator[tuple[str, str]]) -> dict[str, Finding]:
        """Those of some pairs (old, new) of which both are left; they are left no more."""
        taken = {}
        for old, new in list(pairs):
            if old in self.absent and new in self.fresh:
                taken[old] = self.fresh.pop(new)
                del self.absent[old]
        return taken

    def checks_of_terraform(self) -> set[str]:
        """The checks of which a finding is gone and another one new."""
        gone, new = (
            {finding.check_id for finding in findings.values() if finding.framework in TERRAFORM}
            for findings in (self.absent, self.fresh)
        )
        return gone & new


def _by_blocks(left: _Left, checks: set[str], moves: Sequence[Move]) -> Iterator[tuple[str, str]]:
    """Pairs that moved blocks lead from and to."""
    blocks, new_at = MovedBlocks(moves), defaultdict(list)
    for mark, new in left.fresh.items():
        new_at[new.framework, new.check_id, new.ordinal, new.resource].append((mark, new))
    for mark, old in left.absent.items():
        for there in blocks.destinations(old) if old.check_id in checks else ():
            at_address = new_at.get((old.framework, old.check_id, old.ordinal, there.address), ())
            yield from ((mark, to) for to, new in at_address if there.is_of(old, new))


def _shifted(left: _Left, followed: Findings, now: Findings) -> dict[str, Finding]:
    """What has another position. Where as many equals stand as before, each is what it was in their order.

    So a step that is put before two equal ones moves both, though one has the index that the other had.
    """
    pairs = list(_alike(left.absent, left.fresh, position_free))
    moving = {_class(left.absent[old], position_free) for old, _ in pairs}
    before, after = (_classes(all_, position_free, moving) for all_ in (followed, now))
    found: dict[str, Finding] = {}
    for one in moving:
        if len(before[one]) == len(after[one]):
            both = list(zip(before[one], after[one], strict=True))
            found |= {old: now[new] for old, new in both if old != new}
            for old, new in both:
                left.absent.pop(old, None)
                left.fresh.pop(new, None)
    return found | left.take(iter(pairs))


def _alike(absent: Findings, fresh: Findings, name: Callable[[Finding], str]) -> Iterator[tuple[str, str]]:
    """Pairs of findings with the same check and file whose resources have the same name, in their order."""
    news = _classes(fresh, name)
    for one, olds in _classes(absent, name, news.keys()).items():
        yield from zip(olds, news[one], strict=False)


def _labelled(absent: Findings, fresh: Findings) -> Iterator[tuple[str, str]]:
    """Pairs at the same position of which one has a label; one whose label is another may be another altogether."""
    pairs = _alike(absent, fresh, label_free)
    return ((old, new) for old, new in pairs if _has_label(absent[old]) != _has_label(fresh[new]))


def _templates(absent: Findings, fresh: Findings) -> Iterator[tuple[str, str]]:
    """Pairs of the only Pod template of an owner before and after; of several it is not known which is which."""
    news = _classes(fresh, template_free)
    for one, olds in _classes(absent, template_free, news.keys()).items():
        if len(olds) == len(news[one]) == 1:
            yield olds[0], news[one][0]


def _has_label(finding: Finding) -> bool:
    return label_free(finding) != finding.resource


def _classes(
    findings: Findings, name: Callable[[Finding], str], wanted: Collection[tuple[str, ...]] | None = None
) -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for mark, finding in findings.items():
        one = _class(finding, name)
        if wanted is None or one in wanted:
            found[one].append(mark)
    return {one: sorted(marks, key=lambda mark: in_order(findings[mark])) for one, marks in found.items()}


def _class(finding: Finding, name: Callable[[Finding], str]) -> tuple[str, ...]:
    return (finding.file_path, *kind(finding, name))


def _without(findings: Findings, others: Collection[str]) -> dict[str, Finding]:
    return {mark: finding for mark, finding in findings.items() if mark not in others}
