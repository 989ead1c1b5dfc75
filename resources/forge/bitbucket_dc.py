"""Bitbucket Data Center: REST API latest, from 7.4 on. A status there is a build, always with a link."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from infraaudit_domain.forge.answers import Result
from infraaudit_domain.forge.statuses import CommitStatus, StatusState
from infraaudit_domain.reporting.forge_address import Forge
from resources.forge.request import LONGEST_PAGE, PAGE, Comment, Request, path_of
from resources.forge.user_and_token import authorization

NEEDS = "an HTTP access token with the permission 'Repository read' on this repository"
_STATES = {
    StatusState.PENDING: "INPROGRESS",
    StatusState.SUCCESS: "SUCCESSFUL",
    StatusState.FAILURE: "FAILED",
    StatusState.ERROR: "CANCELLED",
}


def headers(token: str) -> Mapping[str, str]:
    return {"Authorization": authorization(token), "Accept": "application/json"}


def _of(forge: Forge, *parts: str) -> str:
    key, slug = forge.parts
    return path_of("api", "latest", "projects", key, "repos", slug, *parts)


def repository(forge: Forge) -> Request:
    return Request("GET", _of(forge))


def commit(forge: Forge, sha: str) -> Request:
    return Request("GET", _of(forge, "commits", sha))


def status(forge: Forge, sha: str, status: CommitStatus, link: str) -> Request:
    key, slug = (quote(part, safe="") for part in forge.parts)
    own_page = f"{forge.api.removesuffix('/rest')}/projects/{key}/repos/{slug}/commits/{quote(sha, safe='')}"
    body = {
        "key": status.context,
        "state": _STATES[status.state],
        "name": status.context,
        "description": status.words,
        "url": link or own_page,
    }
    return Request("POST", _of(forge, "commits", sha, "builds"), body)


def _request(forge: Forge, number: int, *parts: str) -> str:
    return _of(forge, "pull-requests", str(number), *parts)


def comments(forge: Forge, number: int, page: int) -> Request | None:
    """Among all that happened to it: there is no list of the comments alone."""
    pages = f"?limit={PAGE}&start={page * PAGE}"
    return Request("GET", f"{_request(forge, number, 'activities')}{pages}", longest=LONGEST_PAGE)


def new_comment(forge: Forge, number: int, text: str) -> Request:
    return Request("POST", _request(forge, number, "comments"), {"text": text}, LONGEST_PAGE)


def comment(forge: Forge, number: int, comment_id: str) -> Request:
    return Request("GET", _request(forge, number, "comments", comment_id), longest=LONGEST_PAGE)


def edited_comment(forge: Forge, number: int, comment: Comment, text: str) -> Request:
    body = {"text": text, "version": comment.version}
    return Request("PUT", _request(forge, number, "comments", comment.id), body, LONGEST_PAGE)


def listed(content: Any) -> Iterable[Any]:
    return [one.get("comment") for one in content["values"]]


def comment_in(content: Any) -> Comment | None:
    return Comment(str(content["id"]), str(content["text"]), int(content["version"])) if content else None


def read(status: int, words: str) -> Result | None:
    """A conflict: somebody else edited it since it was read, which is tried again."""
    return Result.BUSY if status == 409 else None
