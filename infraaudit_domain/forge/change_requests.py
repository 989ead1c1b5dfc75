"""A pull or merge request: a commit that somebody wants on a branch, and what may be done with it.

It is never part of a branch of ours until it is merged. Deliberately absent: what each forge's payload says of one
(request_payloads.py).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from infraaudit_domain.reporting.forge_address import ForgeKind


class RequestState(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """What a forge says of a request at one time."""

    number: int
    title: str
    author: str
    state: RequestState
    head: str
    """The commit that is to be merged."""
    source_repository: str
    """``owner/name``; empty where the repository it comes from is gone."""
    source_branch: str
    target_branch: str
    is_fork: bool
    """Whether it comes from another repository, or from one that is gone: whoever made it need not be a member."""
    changed_at: datetime
    """By the forge's clock."""


class Step(StrEnum):
    """What is to happen with a request."""

    WAIT = "wait"
    """For a member who lets a fork's head be read."""
    SCAN = "scan"
    """Read its head, and run nothing of it."""
    RUN = "run"
    """Build, test and scan its head."""
    NOTHING = "nothing"


def is_newer(seen: ChangeRequest, known: ChangeRequest) -> bool:
    """Whether what was seen may replace what is known: deliveries arrive in any order.

    A forge's clock may count whole seconds. Of two that are equally old, one that says closed goes before one that says
    open; else the one that came last.
    """
    if seen.changed_at != known.changed_at:
        return seen.changed_at > known.changed_at
    return seen.state is not RequestState.OPEN or known.state is RequestState.OPEN


def next_step(request: ChangeRequest, allowed_head: str, started_head: str) -> Step:
    """What is to happen with a request whose run was started for ``started_head``.

    A member lets one head of a fork be read, and not what is pushed to it later. Nothing of a fork is ever built or run:
    builds of a project share a cache, and what a stranger puts there would go into the releases.
    """
    if request.state is not RequestState.OPEN or request.head == started_head:
        return Step.NOTHING
    if not request.is_fork:
        return Step.RUN
    return Step.SCAN if request.head == allowed_head else Step.WAIT


def head_ref(kind: ForgeKind, number: int) -> str | None:
    """The ref under which a forge shows the head of a request in the target's repository; None where it has none."""
    match kind:
        case ForgeKind.GITHUB | ForgeKind.GITEA:
            return f"refs/pull/{number}/head"
        case ForgeKind.GITLAB:
            return f"refs/merge-requests/{number}/head"
        case ForgeKind.BITBUCKET_DC:
            return f"refs/pull-requests/{number}/from"
        case ForgeKind.BITBUCKET:
            return None
