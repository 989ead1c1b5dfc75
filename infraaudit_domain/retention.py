"""Which commits' details may be deleted. Lineage, lifecycles of findings, deployments and counts are kept."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

PRUNED = "Its findings were pruned as older than the retention; scan the commit again to list them."
"""Why a stored result says nothing any more."""


@dataclass(frozen=True, slots=True)
class Aging:
    """A commit as retention sees it."""

    sha: str
    committed_at: datetime
    recorded_at: datetime


def outdated(
    commits: Iterable[Aging], *, before: datetime, keep_newest: int, protected: Collection[str]
) -> tuple[str, ...]:
    """The commits of one project that are older than ``before``, oldest first.

    Old is by the later of the commit's own time and the time it was recorded: a backfilled past is not pruned at
    once. The newest ``keep_newest`` stay whatever their age, and so does what is protected: what is live.
    """
    by_age = sorted(commits, key=lambda commit: (commit.committed_at, commit.sha))
    candidates = by_age[: max(0, len(by_age) - keep_newest)]
    return tuple(
        commit.sha
        for commit in candidates
        if max(commit.committed_at, commit.recorded_at) < before and commit.sha not in protected
    )
