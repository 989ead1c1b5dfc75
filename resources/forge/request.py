"""What is asked of a forge's API, before it is sent; each forge has a module that makes these.

Deliberately absent: sending (client.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from infraaudit_domain.forge.answers import Result
from infraaudit_domain.forge.statuses import CommitStatus
from infraaudit_domain.reporting.forge_address import Forge


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    """What follows the API's address; everything outside in it is quoted."""
    body: Mapping[str, Any] | None = None


class Adapter(Protocol):
    """What a forge's API looks like."""

    NEEDS: str
    """The right that a token needs, in the forge's own words."""

    def headers(self, token: str) -> Mapping[str, str]:
        """What identifies us."""

    def repository(self, forge: Forge) -> Request:
        """Ask for the repository: is the token good, and may it see it?"""

    def commit(self, forge: Forge, sha: str) -> Request:
        """Ask for a commit: does the forge have it?"""

    def status(self, forge: Forge, sha: str, status: CommitStatus, link: str) -> Request:
        """Set a status; the newest one of a context counts. ``link`` may be empty."""

    def read(self, status: int, words: str) -> Result | None:
        """What an answer means where this forge has its own way to say it."""


def path_of(*parts: str) -> str:
    """The path of these parts; a slash inside one is part of it."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def without_empty(**fields: Any) -> dict[str, Any]:
    """The fields of a body that have a value."""
    return {name: value for name, value in fields.items() if value != ""}
