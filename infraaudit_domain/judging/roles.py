"""Who may do what through the service: four roles, each with its rights. Deliberately absent: whose token is which."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Right(StrEnum):
    """What a request may need."""

    READ = "read"
    NARROW = "narrow"
    """Have commits scanned, which costs processor time."""
    TRIAGE = "triage"
    """Decide on findings."""
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
ONLY_READING = frozenset({Right.READ, Right.AUDIT})
"""What may be asked with a password in a browser, and by whoever comes where no tokens are set."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A person or program that has tokens. Without a role in the configuration it is a deployer: what a name alone allowed
    before there were roles."""

    tokens: tuple[str, ...]
    role: Role = Role.DEPLOYER


def missing(right: Right) -> str:
    """What is said to who does not have a right."""
    roles = " or ".join(role.value for role, rights in RIGHTS.items() if right in rights)
    nameless = ", or a write token" if right in NAMELESS else ""
    return f"this token has not the right {right.value!r}; a token with a name and the role {roles} has it{nameless}"
