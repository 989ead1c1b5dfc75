"""Commits that somebody rejected for good. Deliberately absent: storing them, and who may reject."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Rejection:
    """A commit that is never deployed or advised, by anyone, until the rejection is taken back."""

    project: str
    sha: str
    reason: str
    rejected_by: str
    rejected_at: datetime

    def __str__(self) -> str:
        return (
            f"{self.sha[:12]} was rejected by {self.rejected_by} on {self.rejected_at:%Y-%m-%d}: {self.reason} "
            f"(`infraaudit reject --take-back` undoes that)"
        )
