"""Who may do what through the service: four roles, each with its rights. Deliberately absent: whose token is which."""

from collections.abc import Mapping
from enum import StrEnum


class Right(StrEnum):
    """What a request may need."""

    READ = "read"
    NARROW = "narrow"
    """Have commits scanned, which costs processor time."""
    TRIAGE = "triage"
    """Decide of findings."""
    APPROVE = "approve"
    """Let commits into environments."""
    PUSH = "push"
    """Send a push without a signature."""
    AUDIT = "audit"
    """Read who did what, from where."""


class Role(StrEnum):
    READER = "reader"
    TRIAGER = "triager"
    DEPLOYER = "deployer"
    ADMIN = "admin"


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.READER: frozenset({Right.READ}),
    Role.TRIAGER: frozenset({Right.READ, Right.NARROW, Right.TRIAGE}),
    Role.DEPLOYER: frozenset({Right.READ, Right.NARROW, Right.APPROVE, Right.PUSH}),
    Role.ADMIN: frozenset(Right),
}
"""Whoever delivers does not decide what the gate looks away from, and the other way round; an admin may do both."""
NAMELESS = frozenset({Right.READ, Right.NARROW, Right.PUSH})
"""Of a token that may write and has no name: nothing that is recorded under one."""
EVERYBODY = frozenset({Right.READ, Right.AUDIT})
"""Of whoever comes where no tokens are set."""
