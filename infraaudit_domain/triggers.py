"""Which commits a push starts runs for, and what happened to branches.

Deliberately absent: reading Git (infraaudit/intake/new_commits.py), and path patterns, which are gitignore's.
"""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass

from infraaudit_domain.projects import Project

REQUESTED = "requested"
_SKIP = re.compile(r"\[(?:skip ci|ci skip|no ci|skip-ci|ci-skip)\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GitEvent:
    """A change of a branch other than a new commit, kept for later questions."""

    kind: str
    """``forced`` (rebased or reset), ``deleted``, ``recreated``, ``skipped`` (a commit without a run), ``superseded`` (one
    whose queued run gave way to a newer commit's) or ``requested`` (a request's head whose run began, with that run)."""
    branch: str
    before: str
    after: str
    reason: str = ""


def is_watched(project: Project, branch: str) -> bool:
    """Whether a branch's commits become partitions."""
    return any(fnmatch.fnmatchcase(branch, pattern) for pattern in project.branches)


def skip_word(message: str) -> str | None:
    """The words with which a commit message asks for no run, as GitHub and GitLab know them."""
    found = _SKIP.search(message)
    return found.group(0) if found else None


def frontier(remaining: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The parents of some commits that are not among them: what excludes exactly all the others.

    ``remaining`` are commits with their parents, such that with a commit all of its descendants up to one tip are
    there. What is reachable from that tip and not from the frontier is ``remaining`` again.
    """
    return tuple(dict.fromkeys(p for parents in remaining.values() for p in parents if p not in remaining))
