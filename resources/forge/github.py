"""GitHub and GitHub Enterprise Server: REST API 2022-11-28."""

from collections.abc import Mapping

from infraaudit_domain.forge.answers import Result
from infraaudit_domain.forge.statuses import CommitStatus
from infraaudit_domain.reporting.forge_address import Forge
from resources.forge.request import Request, path_of, without_empty

NEEDS = (
    "a fine-grained token with 'Commit statuses: read and write' on this repository, or a classic one with repo:status"
)


def headers(token: str) -> Mapping[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }


def repository(forge: Forge) -> Request:
    return Request("GET", path_of("repos", *forge.parts))


def commit(forge: Forge, sha: str) -> Request:
    return Request("GET", path_of("repos", *forge.parts, "commits", sha))


def status(forge: Forge, sha: str, status: CommitStatus, link: str) -> Request:
    body = without_empty(state=status.state.value, context=status.context, description=status.words, target_url=link)
    return Request("POST", path_of("repos", *forge.parts, "statuses", sha), body)


def read(status: int, words: str) -> Result | None:
    """A commit that is not there is a validation error; a secondary limit is 403 without a header that says so."""
    if status == 422 and "No commit found" in words:
        return Result.ABSENT
    return Result.BUSY if status == 403 and "rate limit" in words.casefold() else None
