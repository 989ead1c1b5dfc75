"""Gitea and Forgejo: API v1."""

from collections.abc import Iterable, Mapping
from typing import Any

from infraaudit_domain.forge.answers import Result
from infraaudit_domain.forge.statuses import CommitStatus
from infraaudit_domain.reporting.forge_address import Forge
from resources.forge.request import LONGEST_PAGE, Comment, Request, path_of, without_empty

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


def comments(forge: Forge, number: int, page: int) -> Request | None:
    """All at once: there are no pages of them."""
    path = path_of("repos", *forge.parts, "issues", str(number), "comments")
    return None if page else Request("GET", path, longest=LONGEST_PAGE)


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
    """An unknown commit is an error of the server there, in words of Git or of its own."""
    return Result.ABSENT if status == 500 and any(one in words for one in _UNKNOWN_COMMIT) else None
