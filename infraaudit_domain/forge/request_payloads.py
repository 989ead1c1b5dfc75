"""What each forge's payload says of a pull or merge request.

The payload is outside input: the type, shape and size of everything is checked, and nothing in it is used as a path, URL
or option. Deliberately absent: whether it is authentic (pushes.py).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from infraaudit_domain.errors import MalformedPushError
from infraaudit_domain.forge.change_requests import ChangeRequest, RequestState
from infraaudit_domain.forge.payloads import branch_name

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LONGEST_TITLE, _LONGEST_NAME = 300, 255
_HIGHEST = 2**31 - 1
_LATEST = 32503680000.0
"""The year 3000: no time of a request."""
_EVENTS = {
    "github": ("x-github-event", re.compile("pull_request")),
    "gitea": ("x-gitea-event", re.compile("pull_request(_sync|_label|_assign|_milestone)?")),
    "gitlab": ("x-gitlab-event", re.compile("Merge Request Hook")),
    "bitbucket": ("x-event-key", re.compile("pullrequest:(created|updated|fulfilled|rejected)")),
    "bitbucket-dc": ("x-event-key", re.compile(r"pr:(opened|modified|from_ref_updated|merged|declined|deleted)")),
}


def change_request_of(forge: str, headers: Mapping[str, str], payload: Any) -> ChangeRequest | None:
    """The request that an event is about; None where it is about none. Raises MalformedPushError."""
    if forge not in _EVENTS or not isinstance(payload, Mapping):
        return None
    header, events = _EVENTS[forge]
    event = headers.get(header, headers.get("x-forgejo-event", ""))
    if event == "System Hook" and payload.get("object_kind") == "merge_request":
        event = "Merge Request Hook"
    if not events.fullmatch(event):
        return None
    found = _READ[forge](payload)
    # What a deleted request was is not said; it is no longer open.
    return found if event != "pr:deleted" else _closed(found)


def _of_github(payload: Mapping[str, Any]) -> ChangeRequest:
    given = _inner(payload, "pull_request")
    head, base = _inner(given, "head"), _inner(given, "base")
    source, target = _repository(head, "repo", "full_name"), _repository(base, "repo", "full_name")
    merged = given.get("merged") is True or bool(given.get("merged_at"))
    state = RequestState.MERGED if merged else _state(given, {"open": RequestState.OPEN, "closed": RequestState.CLOSED})
    user = given.get("user")
    author = user.get("login") if isinstance(user, Mapping) else ""
    times = _time(given.get("updated_at"))
    return _request(given.get("number"), given, author, state, head, source, target, base.get("ref"), times)


def _of_gitea(payload: Mapping[str, Any]) -> ChangeRequest:
    """GitHub's, but for AGit: whoever may read the repository pushes to refs/for/main, and it looks like one of ours."""
    found, head = _of_github(payload), _inner(_inner(payload, "pull_request"), "head")
    ref, label = head.get("ref"), head.get("label")
    is_branch = isinstance(ref, str) and not ref.startswith("refs/") and isinstance(label, str) and bool(label)
    return found if is_branch else replace(found, is_fork=True)


def _of_gitlab(payload: Mapping[str, Any]) -> ChangeRequest:
    given = _inner(payload, "object_attributes")
    states = {
        "opened": RequestState.OPEN, "reopened": RequestState.OPEN, "locked": RequestState.OPEN,
        "closed": RequestState.CLOSED, "merged": RequestState.MERGED,
    }  # fmt: skip
    user, commit = payload.get("user"), _inner(given, "last_commit")
    author = user.get("username") if isinstance(user, Mapping) else ""
    head = {"sha": commit.get("id"), "ref": given.get("source_branch")}
    source = _repository(given, "source", "path_with_namespace")
    target = _repository(given, "target", "path_with_namespace")
    times = _time(given.get("updated_at"))
    state, onto = _state(given, states), given.get("target_branch")
    return _request(given.get("iid"), given, author, state, head, source, target, onto, times)


def _of_bitbucket(payload: Mapping[str, Any]) -> ChangeRequest:
    given = _inner(payload, "pullrequest")
    states = {
        "OPEN": RequestState.OPEN, "MERGED": RequestState.MERGED, "DECLINED": RequestState.CLOSED,
        "SUPERSEDED": RequestState.CLOSED,
    }  # fmt: skip
    source, destination = _inner(given, "source"), _inner(given, "destination")
    head = {"sha": _inner(source, "commit").get("hash"), "ref": _inner(source, "branch").get("name")}
    where = _repository(source, "repository", "full_name"), _repository(destination, "repository", "full_name")
    author = given.get("author")
    name = author.get("nickname") or author.get("display_name") if isinstance(author, Mapping) else ""
    onto, times = _inner(destination, "branch").get("name"), _time(given.get("updated_on"))
    return _request(given.get("id"), given, name, _state(given, states), head, *where, onto, times, short=True)


def _of_data_center(payload: Mapping[str, Any]) -> ChangeRequest:
    given = _inner(payload, "pullRequest")
    states = {"OPEN": RequestState.OPEN, "MERGED": RequestState.MERGED, "DECLINED": RequestState.CLOSED}
    source, target = _inner(given, "fromRef"), _inner(given, "toRef")
    author = given.get("author")
    user = author.get("user") if isinstance(author, Mapping) else None
    name = user.get("name") if isinstance(user, Mapping) else ""
    head = {"sha": source.get("latestCommit"), "ref": _branch_of(source.get("id"))}
    where = _path_in_data_center(source), _path_in_data_center(target)
    onto, times = _branch_of(target.get("id")), _time(given.get("updatedDate"))
    return _request(given.get("id"), given, name, _state(given, states), head, *where, onto, times)


_READ: Mapping[str, Callable[[Mapping[str, Any]], ChangeRequest]] = {
    "github": _of_github,
    "gitea": _of_gitea,
    "gitlab": _of_gitlab,
    "bitbucket": _of_bitbucket,
    "bitbucket-dc": _of_data_center,
}


def _request(
    number: Any, given: Mapping[str, Any], author: Any, state: RequestState, head: Mapping[str, Any], source: str,
    target: str, onto: Any, changed_at: datetime, short: bool = False,
) -> ChangeRequest:  # fmt: skip
    """What was found, checked; ``short`` is that the forge shortens SHAs."""
    if type(number) is not int or not 0 < number <= _HIGHEST:
        raise MalformedPushError("the request has no number")
    sha = head.get("sha")
    if not isinstance(sha, str) or not (_SHA.fullmatch(sha) or (short and re.fullmatch("[0-9a-f]{12}", sha))):
        raise MalformedPushError("the request's head is no full SHA")
    if not target:
        raise MalformedPushError("the request's target has no repository")
    is_fork = source.casefold() != target.casefold()
    # A branch of somebody else is only shown; one of ours is read from the repository.
    branch = _words(head.get("ref"), _LONGEST_NAME) if is_fork else branch_name(head.get("ref"))
    return ChangeRequest(
        number, _words(given.get("title"), _LONGEST_TITLE), _words(author, _LONGEST_NAME), state, sha, source, branch,
        branch_name(onto), is_fork, changed_at,
    )  # fmt: skip


def _closed(found: ChangeRequest) -> ChangeRequest:
    return replace(found, state=RequestState.CLOSED)


def _inner(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = holder.get(name)
    if not isinstance(found, Mapping):
        raise MalformedPushError(f"{name} is no object")
    return found


def _repository(side: Mapping[str, Any], holder: str, name: str) -> str:
    """The name of a side's repository; empty where it is gone, which is like a stranger's."""
    found = side.get(holder)
    return _words(found.get(name), _LONGEST_NAME) if isinstance(found, Mapping) else ""


def _path_in_data_center(side: Mapping[str, Any]) -> str:
    repository = side.get("repository")
    project = repository.get("project") if isinstance(repository, Mapping) else None
    if not isinstance(repository, Mapping) or not isinstance(project, Mapping):
        return ""
    key, slug = _words(project.get("key"), _LONGEST_NAME), _words(repository.get("slug"), _LONGEST_NAME)
    return f"{key}/{slug}" if key and slug else ""


def _branch_of(ref: Any) -> Any:
    return ref.removeprefix("refs/heads/") if isinstance(ref, str) else ref


def _state(given: Mapping[str, Any], states: Mapping[str, RequestState]) -> RequestState:
    found = given.get("state")
    if not isinstance(found, str) or found not in states:
        raise MalformedPushError("the request's state is none that is known")
    return states[found]


def _time(given: Any) -> datetime:
    """A time as one of the forges writes it: ISO 8601, GitLab's own, or milliseconds."""
    if type(given) is int and 0 < given / 1000 < _LATEST:
        return datetime.fromtimestamp(given / 1000, UTC)
    if not isinstance(given, str) or len(given) > 40:
        raise MalformedPushError("the request has no time of its last change")
    try:
        found = datetime.fromisoformat(given.removesuffix(" UTC"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedPushError("the request has no time of its last change") from error


def _words(given: Any, limit: int) -> str:
    """Text for people, on one line, of characters that a database takes; what is no text is empty."""
    if not isinstance(given, str):
        return ""
    line = "".join(one if one.isprintable() else " " for one in given[: 10 * limit])
    return " ".join(line.split())[:limit]
