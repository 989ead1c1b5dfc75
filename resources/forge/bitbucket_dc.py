"""Bitbucket Data Center: REST API latest, from 7.4 on. A status there is a build, always with a link."""

from collections.abc import Mapping
from urllib.parse import quote

from infraaudit_domain.forge.answers import Result
from infraaudit_domain.forge.statuses import CommitStatus, StatusState
from infraaudit_domain.reporting.forge_address import Forge
from resources.forge.request import Request, path_of
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


def read(status: int, words: str) -> Result | None:
    """Data Center says all of it by the HTTP status."""
    return None
