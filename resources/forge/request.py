"""What is asked of a forge's API, before it is sent; each forge has a module that makes these.

Deliberately absent: sending (client.py).
"""

from collections.abc import Iterable, Mapping
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
    longest: int = 64 * 1024
    """How many bytes of the answer are read."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of a request, as its forge has it."""

    id: str
    text: str
    version: int = 0
    """Of which Data Center wants to hear what is edited."""


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

    def comments(self, forge: Forge, number: int, page: int) -> Request | None:
        """Ask for comments of a request, from the page 0 on; None where there is no such page."""

    def new_comment(self, forge: Forge, number: int, text: str) -> Request:
        """Write a comment."""

    def comment(self, forge: Forge, number: int, comment_id: str) -> Request:
        """Ask for a comment."""

    def edited_comment(self, forge: Forge, number: int, comment: Comment, text: str) -> Request:
        """Have a comment say something else."""

    def listed(self, content: Any) -> Iterable[Any]:
        """The comments of a page of them, each as ``comment_in`` takes it."""

    def comment_in(self, content: Any) -> Comment | None:
        """A comment as the forge answers with it; None where it was deleted. Raises LookupError, TypeError."""

    def read(self, status: int, words: str) -> Result | None:
        """What an answer means where this forge has its own way to say it."""


LONGEST_PAGE = 4 * 1024 * 1024
"""Of comments, which people write as long as their forge lets them."""
PAGE = 50


def path_of(*parts: str) -> str:
    """The path of these parts; a slash inside one is part of it."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def without_empty(**fields: Any) -> dict[str, Any]:
    """The fields of a body that have a value."""
    return {name: value for name, value in fields.items() if value != ""}
