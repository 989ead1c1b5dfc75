"""Gitea and Forgejo: API v1."""

from collections.abc import Mapping

from infraaudit_domain.forge.answers import Result
from infraaudit_domain.forge.statuses import CommitStatus
from infraaudit_domain.reporting.forge_address import Forge
from resources.forge.request import Request, path_of, without_empty

NEEDS = "a token with the permission 'repository: read and write', of a user who may push to this repository"
_UNKNOWN_COMMIT = ("object does not exist", "GetCommit[")


def headers(token: str) -> Mapping[str, str]:
    return {"Authorization": f"token {token}", "Accept": "application/json"}


def repository(forge: Forge) -> Request:
    return Request("GET", path_of("repos", *forge.parts))


def commit(forge: Forge, sha: str) -> Request:
    return Request("GET", path_of("repos", *forge.parts, "git", "commits", sha))


def status(forge: Forge, sha: str, status: CommitStatus, link: str) -> Request:
    body = without_empty(state=status.state.value, context=status.context, description=status.words, target_url=link)
    return Request("POST", path_of("repos", *forge.parts, "statuses", sha), body)


def read(status: int, words: str) -> Result | None:
    """An unknown commit is an error of the server there, in words of Git or of its own."""
    return Result.ABSENT if status == 500 and any(one in words for one in _UNKNOWN_COMMIT) else None
