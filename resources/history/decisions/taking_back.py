"""Decisions of people are taken back, not deleted: who did so, when and why stands beside them."""

from datetime import UTC, datetime
from typing import Any

from infraaudit_domain.errors import excerpt

LONGEST = 2000
"""Characters of a reason."""


def taken_back(reason: str, by: str) -> dict[str, Any]:
    """The columns of a row that is taken back now."""
    return {
        "taken_back_by": excerpt(by, 255),
        "taken_back_at": datetime.now(UTC),
        "taken_back_reason": excerpt(reason, LONGEST),
    }
