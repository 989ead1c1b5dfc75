"""Bitbucket Cloud: API 2.0. A status has a key of at most 40 characters there, and always a link."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from infraaudit_domain.forge.answers import Result
from infraaudit_domain.forge.statuses import CommitStatus, StatusState
from infraaudit_domain.reporting.forge_address import Forge
from resources.forge.request import LONGEST_PAGE, PAGE, Comment, Request, path_of
from resources.forge.user_and_token import authorization

NEEDS = "a repository access token with the scope 'Repositories: write', or user:token of an API token with it"
_LONGEST_KEY = 40
_STATES = {
    StatusState.PENDING: "INPROGRESS",
    StatusState.SUCCESS: "SUCCESSFUL",
    StatusState.FAILURE: "FAILED",
    StatusState.ERROR: "STOPPED",
}


def headers(token: str) -> Mapping[str, str]:
    return {"Authorization": authorization(token), "Accept": "application/json"}


def repository(forge: Forge) -> Request:
    return Request("GET", path_of("repositories", *forge.parts))


def commit(forge: Forge, sha: str) -> Request:
    return Request("GET", path_of("repositories", *forge.parts, "commit", sha))


def status(forge: Forge, sha: str, status: CommitStatus, link: str) -> Request:
    body = {
        "type": "build",
        "key": _key(status.context),
        "state": _STATES[status.state],
        "name": status.context,
        "description": status.words,
        "url": link or f"https://bitbucket.org{path_of(*forge.parts, 'commits', sha)}",
    }
    return Request("POST", path_of("repositories", *forge.parts, "commit", sha, "statuses", "build"), body)


def _key(context: str) -> str:
    """The context, or where that is too long, its digest: shortened, two could be one."""
    return context if len(context) <= _LONGEST_KEY else hashlib.sha256(context.encode()).hexdigest()[:_LONGEST_KEY]


def _comments(forge: Forge, number: int, *parts: str) -> str:
    return path_of("repositories", *forge.parts, "pullrequests", str(number), "comments", *parts)


def comments(forge: Forge, number: int, page: int) -> Request | None:
    return Request("GET", f"{_comments(forge, number)}?pagelen={PAGE}&page={page + 1}", longest=LONGEST_PAGE)


def new_comment(forge: Forge, number: int, text: str) -> Request:
    return Request("POST", _comments(forge, number), {"content": {"raw": text}}, LONGEST_PAGE)


def comment(forge: Forge, number: int, comment_id: str) -> Request:
    return Request("GET", _comments(forge, number, comment_id), longest=LONGEST_PAGE)


def edited_comment(forge: Forge, number: int, comment: Comment, text: str) -> Request:
    return Request("PUT", _comments(forge, number, comment.id), {"content": {"raw": text}}, LONGEST_PAGE)


def listed(content: Any) -> Iterable[Any]:
    return list(content["values"])


def comment_in(content: Any) -> Comment | None:
    """What was deleted is still answered with."""
    return None if content.get("deleted") else Comment(str(content["id"]), str(content["content"]["raw"]))


def read(status: int, words: str) -> Result | None:
    """Bitbucket Cloud says all of it by the HTTP status."""
    return None
