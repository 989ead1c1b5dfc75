"""What is new in a repository since it was last looked at, a bounded batch at a time, and what of it gets a run.

Deliberately absent: Dagster, and where the cursor is kept.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from pathspec import GitIgnoreSpec

from infraaudit_domain.projects import Project
from infraaudit_domain.triggers import GitEvent, frontier, is_watched, skip_word
from resources.git.mirror import Mirror

BATCH = 100
_MOST_GONE = 1000


@dataclass(frozen=True, slots=True)
class Cursor:
    """How much of a repository was taken in: by branch its last tip or, in the middle of a long push, the frontier of
    what was taken in (several SHAs, separated by spaces). ``gone`` are the branches that were deleted; they may come
    back."""

    tips: Mapping[str, str] = field(default_factory=dict)
    gone: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> "Cursor":
        stored = json.loads(text or "{}")
        return cls(_readable(stored.get("tips", {})), _readable(stored.get("gone", {})))

    def __str__(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a repository found."""

    new: Mapping[str, str]
    """Commits to be taken, parents first, each with the branch it was found on."""
    cursor: Cursor
    events: Sequence[GitEvent]


def look(
    mirror: Mirror,
    project: Project,
    cursor: Cursor,
    recorded: Callable[[], Sequence[str]],
    begun: Callable[[], Sequence[str]] = lambda: (),
) -> Look:
    """At most 100 new commits of the watched branches, and the cursor after them.

    The first look takes the newest ``first_commits`` of each branch. A commit on two branches is found once, on the
    deploy branch if that is one of them. ``recorded`` lists the commits of earlier runs; it is asked only where the
    mirror lacks a branch's old tip, because it was made anew after a force-push. ``begun`` are the partitions there
    are: where there is no cursor yet but some of them, the first look was interrupted, or the webhook was sooner; they
    are found again, and all that came after them.
    """
    branches = mirror.branches()
    tips = {name: sha for name, sha in branches.items() if is_watched(project, name)}
    bases = _existing(mirror, {**cursor.gone, **cursor.tips})
    seen = [sha for base in bases.values() for sha in base]
    gone = {name: old for name, old in {**cursor.gone, **cursor.tips}.items() if name not in tips}
    events = [GitEvent("deleted", name, old, "") for name, old in cursor.tips.items() if name not in branches]
    # No more than an interrupted look can have begun: a cursor that was reset does not go through all of history.
    earlier = mirror.existing(begun()[-BATCH:]) if not bases else []
    before_earlier = mirror.existing(frontier(mirror.parents(earlier)))
    new: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name in sorted(tips, key=lambda branch: (branch != project.deploy_branch, branch)):
        tip, base = tips[name], bases.get(name, [])
        if tip in base:
            taken[name] = tip
            continue
        events += _moved(mirror, cursor, name, base, tip)
        lost = not base and name in cursor.tips
        known = mirror.existing(recorded()) if lost else before_earlier
        fresh = mirror.lineage([tip], [*seen, *new, *known])
        if not bases and not earlier and project.first_commits:
            fresh = dict(list(fresh.items())[-project.first_commits :])
        batch = list(fresh)[: BATCH - len(new)]
        new |= dict.fromkeys(batch, name)
        remaining = {sha: parents for sha, parents in fresh.items() if sha not in new}
        taken[name] = " ".join(mirror.existing(frontier(remaining))) if remaining else tip
    return Look(new, Cursor(taken, dict(list(gone.items())[-_MOST_GONE:])), events)


def unseen(mirror: Mirror, project: Project, tip: str, recorded: Sequence[str]) -> list[str]:
    """The commits of a branch whose old tip is not known: those that no recorded commit contains, parents first."""
    fresh = mirror.commits([tip], mirror.existing(recorded))
    return fresh if recorded else fresh[-(project.first_commits or len(fresh)) :]


def reasons_to_skip(mirror: Mirror, project: Project, commits: Sequence[str]) -> dict[str, str]:
    """Why some of these commits get no run: their message says so, or they change nothing that counts."""
    reasons = {sha: f"its message says {word}" for sha, m in mirror.messages(commits).items() if (word := skip_word(m))}
    if not project.paths_only and not project.paths_ignore:
        return reasons
    only, ignored = (GitIgnoreSpec.from_lines(lines) for lines in (project.paths_only, project.paths_ignore))
    for sha in commits:
        changed = [file.path for file in mirror.changed_files(sha)]
        counting = [path for path in changed if not ignored.match_file(path)]
        if project.paths_only:
            counting = [path for path in counting if only.match_file(path)]
        # An empty commit is a way to ask for a run.
        if changed and not counting:
            reasons.setdefault(sha, "it changes only paths that start no run")
    return reasons


def _readable(tips: Mapping[str, str]) -> dict[str, str]:
    """Branches under the names that a mirror gives them; old cursors hold some that are not valid text."""
    return {
        name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"): shas for name, shas in tips.items()
    }


def _existing(mirror: Mirror, cursor: Mapping[str, str]) -> dict[str, list[str]]:
    there = set(mirror.existing([sha for shas in cursor.values() for sha in shas.split()]))
    return {name: [sha for sha in shas.split() if sha in there] for name, shas in cursor.items()}


def _moved(mirror: Mirror, cursor: Cursor, name: str, base: Sequence[str], tip: str) -> list[GitEvent]:
    old = cursor.tips.get(name, "")
    if name in cursor.gone and not old:
        return [GitEvent("recreated", name, cursor.gone[name], tip)]
    if not old or (base and all(mirror.is_ancestor(sha, tip) for sha in base)):
        return []
    return [GitEvent("forced", name, old, tip, "the old tip is not in the new history")]
