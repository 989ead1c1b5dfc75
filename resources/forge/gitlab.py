"""GitLab: REST API v4. A status there is a job of an external pipeline."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from infraaudit_domain.forge.answers import Result
from infraaudit_domain.forge.statuses import CommitStatus, StatusState
from infraaudit_domain.reporting.forge_address import Forge
from resources.forge.request import LONGEST_PAGE, PAGE, Comment, Request, path_of, without_empty

NEEDS = "a project access token with the scope api and the role Developer, or Maintainer for protected branches"
_STATES = {
    StatusState.PENDING: "pending",
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failed",
    StatusState.ERROR: "failed",
}
_ALREADY = re.compile(r"Cannot transition status via :enqueue from :(pending|running)\b")


def headers(token: str) -> Mapping[str, str]:
    return {"PRIVATE-TOKEN": token, "Accept": "application/json"}


def repository(forge: Forge) -> Request:
    return Request("GET", path_of("projects", forge.repository))


def commit(forge: Forge, sha: str) -> Request:
    return Request("GET", path_of("projects", forge.repository, "repository", "commits", sha))


def status(forge: Forge, sha: str, status: CommitStatus, link: str) -> Request:
    body = without_empty(state=_STATES[status.state], name=status.context, description=status.words, target_url=link)
    return Request("POST", path_of("projects", forge.repository, "statuses", sha), body)


def _notes(forge: Forge, number: int, *parts: str) -> str:
    return path_of("projects", forge.repository, "merge_requests", str(number), "notes", *parts)


def comments(forge: Forge, number: int, page: int) -> Request | None:
    order = f"sort=asc&order_by=created_at&per_page={PAGE}&page={page + 1}"
    return Request("GET", f"{_notes(forge, number)}?{order}", longest=LONGEST_PAGE)


def new_comment(forge: Forge, number: int, text: str) -> Request:
    return Request("POST", _notes(forge, number), {"body": text}, LONGEST_PAGE)


def comment(forge: Forge, number: int, comment_id: str) -> Request:
    return Request("GET", _notes(forge, number, comment_id), longest=LONGEST_PAGE)


def edited_comment(forge: Forge, number: int, comment: Comment, text: str) -> Request:
    return Request("PUT", _notes(forge, number, comment.id), {"body": text}, LONGEST_PAGE)


def listed(content: Any) -> Iterable[Any]:
    return list(content)


def comment_in(content: Any) -> Comment | None:
    return Comment(str(content["id"]), str(content["body"]))


def read(status: int, words: str) -> Result | None:
    """A job that waits or runs already cannot be made to wait once more; it is shown as pending."""
    return Result.TAKEN if status == 400 and _ALREADY.search(words) else None
