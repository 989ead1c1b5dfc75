"""What a test run may use. Deliberately absent: what builds may use (infraaudit_domain/delivery/builds.py)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a test run may use."""

    seconds: float = 900
    memory_megabytes: int = 1024
    processes: int = 512
    scratch_megabytes: int = 256
    """Size of /tmp, in memory, and of each file."""
