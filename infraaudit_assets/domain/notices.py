"""A notice: what people are told. Deliberately absent: sending it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """One message, sent once."""

    key: str
    """What makes it one and the same, however often it is written."""
    project: str
    title: str
    body: str
    urgency: str = "info"
    """info, failure or critical."""
