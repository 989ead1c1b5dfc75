"""Who lets a commit into an environment: approvals that it waits for, and leave to deploy it in a freeze.

Names count as equal whatever their case. Deliberately absent: how somebody proves who they are, and storing approvals.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
    """Whether those who wrote what a commit brings may approve it."""

    def has_approver(self, name: str) -> bool:
        """Whether somebody's word counts at all."""
        return not self.approvers or _is_among(name, self.approvers)

    def refuses(self, name: str, authors: Collection[str]) -> str:
        """Why somebody's approval of a commit does not count; empty where it does. ``authors`` are the names of all
        who wrote what it brings."""
        if not self.has_approver(name):
            return f"{name} is none of the approvers: {', '.join(self.approvers)}"
        if not self.own and _is_among(name, authors):
            return f"{name} is one of its authors, those of the commits that come with it included"
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


def standing(rule: ApprovalRule, approvals: Iterable[Approval], sha: str, authors: Collection[str]) -> Standing:
    """Which approvals of a commit count, by the rule as it is now; ``authors`` as :meth:`ApprovalRule.refuses` has."""
    by: dict[str, str] = {}
    for approval in approvals:
        name = approval.approved_by
        if approval.leave is Leave.DEPLOY and approval.sha == sha and not rule.refuses(name, authors):
            by.setdefault(folded(name), name)
    return Standing(rule.number, tuple(by.values()))


def names_of(name: str, email: str) -> frozenset[str]:
    """What a person of a commit goes by: name, address, the address's local part, and both sides of a ``+`` in it, where
    a forge has the account (``123+ada@users.noreply…``)."""
    local = email.partition("@")[0]
    return frozenset(folded(own) for own in (name, email, local, *local.split("+", 1)) if own.strip())


def _is_among(name: str, names: Collection[str]) -> bool:
    return folded(name) in {folded(one) for one in names}


def folded(name: str) -> str:
    """What names are compared by."""
    return " ".join(name.split()).casefold()
