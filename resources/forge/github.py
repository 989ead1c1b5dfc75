"""GitHub and GitHub Enterprise Server: REST API 2022-11-28."""

from collections.abc import Iterable, Mapping
from typing import Any

from infraaudit_domain.forge.answers import Result
from infraaudit_domain.forge.statuses import CommitStatus
from infraaudit_domain.reporting.forge_address import Forge
from resources.forge.request import LONGEST_PAGE, PAGE, Comment, Request, path_of, without_empty

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


def comments(forge: Forge, number: int, page: int) -> Request | None:
    path = path_of("repos", *forge.parts, "issues", str(number), "comments")
    return Request("GET", f"{path}?per_page={PAGE}&page={page + 1}", longest=LONGEST_PAGE)


def new_comment(forge: Forge, number: int, text: str) -> Request:
    path = path_of("repos", *forge.parts, "issues", str(number), "comments")
    return Request("POST", path, {"body": text}, LONGEST_PAGE)


def comment(forge: Forge, number: int, comment_id: str) -> Request:
    return Request("GET", path_of("repos", *forge.parts, "issues", "comments", comment_id), longest=LONGEST_PAGE)


def edited_comment(forge: Forge, number: int, comment: Comment, text: str) -> Request:
    path = path_of("repos", *forge.parts, "issues", "comments", comment.id)
    return Request("PATCH", path, {"body": text}, LONGEST_PAGE)


def listed(content: Any) -> Iterable[Any]:
    return list(content)


def comment_in(content: Any) -> Comment | None:
    return Comment(str(content["id"]), str(content["body"]))


def read(status: int, words: str) -> Result | None:
    """A commit that is not there is a validation error; a secondary limit is 403 without a header that says so."""
    if status == 422 and "No commit found" in words:
        return Result.ABSENT
    return Result.BUSY if status == 403 and "rate limit" in words.casefold() else None
