"""Who did what, when, from where. Deliberately absent: storing it, and refusing to change it."""

from dataclasses import dataclass
from enum import StrEnum


class Via(StrEnum):
    """By which door somebody came."""

    CLI = "cli"
    API = "api"
    WEBHOOK = "webhook"


class Act(StrEnum):
    """What is logged."""

    TRIAGE = "triage"
    IMPORT = "triage import"
    APPROVE = "approve"
    APPROVE_BACK = "take back approval"
    OVERRIDE_FREEZE = "override freeze"
    REJECT = "reject"
    REJECT_BACK = "take back rejection"
    RUN = "run"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    NARROW = "narrow"
    ADD_PROJECT = "add project"
    PRUNE = "prune"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody, and where they came from."""

    name: str
    via: Via
    address: str = ""
    """The address of a client, or the terminal and the host."""
