"""The names that findings had: a renamed file gives a finding another id, and leaves it the same finding."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from resources.history import schema
from resources.history.store import History

_AT_ONCE = 500
_Life = tuple[str, str]
"""A branch, and a life on it."""


def names_of(history: History, project: str, seen: Collection[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Every name of findings, each given by its id and a commit in which it was seen, by that id.

    A name that another finding took over later is a name of that one alone.
    """
    found = _spans(history, project, {mark for mark, _ in seen}, "fingerprint")
    positions = _positions(history, project, {sha for _, sha in seen})
    by_mark = defaultdict[str, list[sa.RowMapping]](list)
    for span in found:
        by_mark[span["fingerprint"]].append(span)
    lives = {mark: _lives_at(by_mark[mark], positions, sha) for mark, sha in seen}
    wanted = {life for some in lives.values() for _, life in some}
    every = _spans(history, project, wanted, "life")
    holders = _last_holders([*every, *_spans(history, project, {span["fingerprint"] for span in every}, "fingerprint")])
    named = defaultdict[_Life, set[str]](set)
    for span in every:
        life = (span["branch"], span["life"])
        if holders[span["branch"], span["fingerprint"]] == span["life"]:
            named[life].add(span["fingerprint"])
    return {mark: frozenset({mark} if not some else set().union(*(named[life] for life in some)))
            for mark, some in lives.items()}  # fmt: skip


def names_beside(
    history: History, project: str, seen: Collection[tuple[str, str]], branch: str, fork: int
) -> dict[str, frozenset[str]]:
    """The names that findings have in commits that left a branch after a position; see :func:`names_of`.

    A finding has the name there that it had at the fork: what it was called before, or later, is another finding's name.
    One that came to the branch later has those of its names that no finding had at the fork. What was decided in a commit
    beside the branch is about the name that it was decided under.
    """
    found = _spans(history, project, {mark for mark, _ in seen}, "fingerprint")
    positions = _positions(history, project, {sha for _, sha in seen})
    mine = [span for span in found if span["branch"] == branch]
    lives = {
        (mark, sha): _lives_at([span for span in mine if span["fingerprint"] == mark], positions, sha)
        for mark, sha in seen
    }
    every = _spans(history, project, {life for some in lives.values() for _, life in some}, "life")
    every = [span for span in every if span["branch"] == branch]
    same_names = _spans(history, project, {span["fingerprint"] for span in every}, "fingerprint")
    taken = {span["fingerprint"] for span in same_names if span["branch"] == branch and _covers(span, fork)}
    named = _named_at_fork(every, taken, fork)
    names = defaultdict[str, set[str]](set)
    for (mark, sha), some in lives.items():
        is_beside = (branch, sha) not in positions
        names[mark] |= {mark} if is_beside or not some else set()
        names[mark] |= {name for _, life in some for name in named[life]}
    return {mark: frozenset(some) for mark, some in names.items()}


def _named_at_fork(spans: Iterable[sa.RowMapping], taken: Collection[str], fork: int) -> dict[str, set[str]]:
    """The names of each life in a commit that left the branch at the fork."""
    by_life = defaultdict[str, list[sa.RowMapping]](list)
    for span in spans:
        by_life[span["life"]].append(span)
    named = defaultdict[str, set[str]](set)
    for life, some in by_life.items():
        if all(span["start_position"] > fork for span in some):
            named[life] = {span["fingerprint"] for span in some} - set(taken)
        else:
            named[life] = {span["fingerprint"] for span in some if _covers(span, fork)}
    return named


def _spans(history: History, project: str, values: Iterable[str], column: str) -> list[sa.RowMapping]:
    table = schema.spans
    names = ("branch", "fingerprint", "life", "start_position", "end_position")
    lines = schema.line_commits
    branches = sa.select(lines.c.branch).where(lines.c.project == project).distinct()  # its indexes begin with both
    mine = (table.c.project == project) & table.c.branch.in_(branches)
    query = sa.select(*(table.c[name] for name in names)).where(mine)
    return [row for some in _parts(values) for row in history.rows(query.where(table.c[column].in_(some)))]


def _positions(history: History, project: str, shas: Iterable[str]) -> dict[tuple[str, str], int]:
    table = schema.line_commits
    query = sa.select(table.c.branch, table.c.sha, table.c.position).where(table.c.project == project)
    rows = (row for some in _parts(shas) for row in history.rows(query.where(table.c.sha.in_(some))))
    return {(row["branch"], row["sha"]): row["position"] for row in rows}


def _parts(values: Iterable[str]) -> Iterator[tuple[str, ...]]:
    every = sorted(set(values))
    return (tuple(every[start : start + _AT_ONCE]) for start in range(0, len(every), _AT_ONCE))


def _lives_at(spans: Iterable[sa.RowMapping], positions: Mapping[tuple[str, str], int], sha: str) -> set[_Life]:
    """The life on each branch that had a name at a commit; the newest one where the commit is not on the branch."""
    by_branch = defaultdict[str, list[Any]](list)
    for span in spans:
        by_branch[span["branch"]].append(span)
    found = set()
    for branch, some in by_branch.items():
        at = positions.get((branch, sha))
        there = [span for span in some if at is not None and _covers(span, at)]
        newest = max(there or some, key=lambda span: span["start_position"])
        found.add((branch, newest["life"]))
    return found


def _covers(span: sa.RowMapping, position: int) -> bool:
    return span["start_position"] <= position and (span["end_position"] is None or position < span["end_position"])


def _last_holders(spans: Iterable[sa.RowMapping]) -> dict[tuple[str, str], str]:
    """The life that had each name last, by branch and name."""
    last: dict[tuple[str, str], sa.RowMapping] = {}
    for span in spans:
        place = (span["branch"], span["fingerprint"])
        if place not in last or span["start_position"] > last[place]["start_position"]:
            last[place] = span
    return {place: span["life"] for place, span in last.items()}
