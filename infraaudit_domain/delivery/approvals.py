"""Who lets a commit into an environment: approvals that it waits for, and leave to deploy it in a freeze.

Names count as equal whatever their case. Deliberately absent: how somebody proves who they are, and storing approvals.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from infraaudit_domain.commits import Commit


class Leave(StrEnum):
    """What somebody lets a commit do."""

    DEPLOY = "approval"
    """One of the approvals that its environment asks for."""
    DESPITE_FREEZE = "freeze override"
    """To be deployed although its environment is frozen."""


@dataclass(frozen=True, slots=True)
class Approval:
    """What somebody decided about one commit in one environment."""

    project: str
    environment: str
    sha: str
    leave: Leave
    approved_by: str
    reason: str
    approved_at: datetime

    def __str__(self) -> str:
        return f"{self.leave} by {self.approved_by} on {self.approved_at:%Y-%m-%d %H:%M} UTC: {self.reason}"


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """What an environment asks for before a commit is deployed to it."""

    number: int = 0
    approvers: tuple[str, ...] = ()
    """Whose approvals count; none are everybody's."""
    own: bool = False
    """Whether the author of a commit may approve it."""

    def refuses(self, name: str, commit: Commit) -> str:
        """Why somebody's approval of a commit does not count; empty where it does."""
        if self.approvers and not _is_among(name, self.approvers):
            return f"{name} is none of the approvers: {', '.join(self.approvers)}"
        if not self.own and is_author(name, commit):
            return f"{name} is its author"
        return ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the approvals of a commit have come."""

    needed: int
    by: tuple[str, ...] = ()
    """Whose approvals count, in the order in which they were given; each once."""

    @property
    def is_enough(self) -> bool:
        return len(self.by) >= self.needed

    def __str__(self) -> str:
        have = f"{len(self.by)} of {self.needed} approvals"
        return have + (f", by {', '.join(self.by)}" if self.by else "")


def standing(rule: ApprovalRule, approvals: Iterable[Approval], commit: Commit) -> Standing:
    """Which approvals of a commit count, by the rule as it is now."""
    by: dict[str, str] = {}
    for approval in approvals:
        name = approval.approved_by
        if approval.leave is Leave.DEPLOY and approval.sha == commit.sha and not rule.refuses(name, commit):
            by.setdefault(_folded(name), name)
    return Standing(rule.number, tuple(by.values()))


def is_author(name: str, commit: Commit) -> bool:
    """Whether somebody wrote a commit, as far as the commit says: by name, address, or the address's local part."""
    email = commit.author_email
    return _is_among(name, [own for own in (commit.author_name, email, email.partition("@")[0]) if own])


def _is_among(name: str, names: Sequence[str]) -> bool:
    return _folded(name) in {_folded(one) for one in names}


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
