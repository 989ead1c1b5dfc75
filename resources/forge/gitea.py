"""Gitea and Forgejo: API v1, which for statuses and comments is GitHub's."""

from collections.abc import Mapping

from infraaudit_domain.forge.answers import Result
from infraaudit_domain.reporting.forge_address import Forge
from resources.forge import github
from resources.forge.request import LONGEST_PAGE, Request, path_of

NEEDS = "a token with the permission 'repository: read and write', of a user who may push to this repository"
repository, status, listed, comment_in = github.repository, github.status, github.listed, github.comment_in
new_comment, comment, edited_comment = github.new_comment, github.comment, github.edited_comment
_UNKNOWN_COMMIT = ("object does not exist", "GetCommit[")


def headers(token: str) -> Mapping[str, str]:
    return {"Authorization": f"token {token}", "Accept": "application/json"}


def commit(forge: Forge, sha: str) -> Request:
    return Request("GET", path_of("repos", *forge.parts, "git", "commits", sha))


def comments(forge: Forge, number: int, page: int) -> Request | None:
    """All at once: there are no pages of them."""
    path = path_of("repos", *forge.parts, "issues", str(number), "comments")
    return None if page else Request("GET", path, longest=LONGEST_PAGE)


def read(status: int, words: str) -> Result | None:
    """An unknown commit is an error of the server there, in words of Git or of its own."""
    return Result.ABSENT if status == 500 and any(one in words for one in _UNKNOWN_COMMIT) else None
