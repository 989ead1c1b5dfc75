"""What box is wanted, and the files in its folder by which its users and its keeper find each other."""

from dataclasses import dataclass

from infraaudit_domain.delivery.builds import BuildLimits
from resources.engine.box.identities import Identities

AFRESH = "afresh"
"""The file that asks for an empty disk."""
KEPT = "kept"
"""The file that a keeper holds the lock of."""
RUNNING = "running"
"""The file that says where the box is, once it is."""
LEASE = "lease"
"""The file that whoever builds holds a shared lock of."""


@dataclass(frozen=True, slots=True)
class Order:
    """What box is wanted."""

    folder: str
    """Its state, which the next box of the project finds."""
    place: str
    """Where it is mounted and has its sockets; removed with it."""
    group: str
    identities: Identities
    limits: BuildLimits
    owner: int
    """The outermost process of InfraAudit that led to the box; 0 for none."""
    idle_seconds: float
