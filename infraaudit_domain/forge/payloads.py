"""What each forge's payload says of a push: which branches moved, from where to where.

The payload is outside input: the type and shape of everything is checked, and nothing in it is used as a path, URL or
option. Deliberately absent: whether it is authentic (pushes.py).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.errors import MalformedPushError

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ODD = r"\x00-\x20\x7f~^:?*\[\\\ud800-\udfff"
_BRANCH = re.compile(rf"[^{_ODD}-][^{_ODD}]{{0,254}}")
_MOST_CHANGES = 1000
_EVENT_HEADERS = {
    "github": ("x-github-event",),
    "gitea": ("x-gitea-event", "x-forgejo-event", "x-gogs-event"),
    "gitlab": ("x-gitlab-event",),
    "bitbucket": ("x-event-key",),
    "bitbucket-dc": ("x-event-key",),
}
_PUSHES = ("push", "Push Hook", "repo:push", "repo:refs_changed", "mirror:repo_synchronized", "git.push",
           "repository_update")  # fmt: skip
_PINGS = ("ping", "diagnostics:ping")
_SYSTEM_HOOK = "System Hook"
_EVENT_NAMES = ("event_name", "object_kind", "event_type")
_REPOSITORY_UPDATE = "repository_update"
"""GitLab's one event for all that a push changes; its system hooks send it by default, and no push."""
_CHANGE = r"(?:\.item(?:\.(?:new|old|ref|before|after|target|type|name|hash|id|refId|fromHash|toHash|oldObjectId|newObjectId))*)?"
NEEDED = re.compile(
    rf"ref|before|after|event_name|object_kind|event_type|eventType|push|resource|(?:push\.changes|changes|resource\.refUpdates){_CHANGE}"
)
"""The places in any forge's payload that are read, as ``push.changes.item.new.name``; a long list of commits is not."""


@dataclass(frozen=True, slots=True)
class MovedBranch:
    """One branch that moved."""

    branch: str
    before: str
    """What the branch was at; empty where the forge did not say or the branch is new."""
    after: str


@dataclass(frozen=True, slots=True)
class NotAPush:
    """A well-formed event that moves no branch."""

    reason: str


def moved_branches(forge: str, headers: Mapping[str, str], payload: Any) -> Sequence[MovedBranch] | NotAPush:
    """The branches that an event moved. Raises MalformedPushError."""
    if not isinstance(payload, dict):
        raise MalformedPushError("the body is no JSON object")
    event = _event(forge, headers, payload)
    if event not in _PUSHES:
        return NotAPush("ping" if event in _PINGS else f"the event {event[:40]!r} is no push")
    if forge == "bitbucket":
        return _several(_of_bitbucket(payload))
    if forge == "bitbucket-dc":
        return _several(_of_data_center(payload))
    if forge == "azure":
        return _several(_of_azure(payload))
    if event == _REPOSITORY_UPDATE:
        return _several(_of_gitlab(payload))
    return _one(_text(payload, "ref"), payload.get("before") or "", _text(payload, "after"))


def branch_name(given: Any) -> str:
    """What is given, where it is a branch name that Git allows. Raises MalformedPushError."""
    if (
        not isinstance(given, str)
        or not _BRANCH.fullmatch(given)
        or ".." in given
        or given.startswith("/")
        or given.endswith(("/", ".lock", "."))
    ):
        raise MalformedPushError("ref is no branch name that Git allows")
    return given


def _event(forge: str, headers: Mapping[str, str], payload: Mapping[str, Any]) -> str:
    if forge == "azure":
        return _text(payload, "eventType")
    event = next((headers[name] for name in _EVENT_HEADERS.get(forge, ()) if name in headers), "push")
    if event != _SYSTEM_HOOK:
        return event
    # A system hook reports the events of a whole GitLab under one header, and names them in one of several ways.
    return _text(payload, next((name for name in _EVENT_NAMES if name in payload), _EVENT_NAMES[0]))


def _several(found: Iterable[Sequence[MovedBranch] | NotAPush]) -> Sequence[MovedBranch] | NotAPush:
    pushes = [push for one in found if not isinstance(one, NotAPush) for push in one]
    return pushes or NotAPush("no branch was moved")


def _of_bitbucket(payload: Mapping[str, Any]) -> Iterable[Sequence[MovedBranch] | NotAPush]:
    for change in _changes(payload.get("push"), "push.changes"):
        new, old = change.get("new"), change.get("old")
        if isinstance(new, dict) and new.get("type") == "branch":
            yield _one(f"refs/heads/{_text(new, 'name')}", _hash(old) if old else "", _hash(new))


def _of_gitlab(payload: Mapping[str, Any]) -> Iterable[Sequence[MovedBranch] | NotAPush]:
    for change in _changes(payload, "changes"):
        yield _one(_text(change, "ref"), _text(change, "before"), _text(change, "after"))


def _of_data_center(payload: Mapping[str, Any]) -> Iterable[Sequence[MovedBranch] | NotAPush]:
    for change in _changes(payload, "changes"):
        ref = change.get("ref")
        name = _text(ref, "id") if isinstance(ref, dict) else _text(change, "refId")
        yield _one(name, _text(change, "fromHash"), _text(change, "toHash"))


def _of_azure(payload: Mapping[str, Any]) -> Iterable[Sequence[MovedBranch] | NotAPush]:
    for change in _changes(payload.get("resource"), "resource.refUpdates"):
        yield _one(_text(change, "name"), _text(change, "oldObjectId"), _text(change, "newObjectId"))


def _changes(holder: Any, name: str) -> list[dict[str, Any]]:
    changes = holder.get(name.rpartition(".")[2]) if isinstance(holder, dict) else None
    if not isinstance(changes, list) or len(changes) > _MOST_CHANGES or not all(isinstance(c, dict) for c in changes):
        raise MalformedPushError(f"{name} is no list of at most {_MOST_CHANGES} objects")
    return changes


def _hash(side: Any) -> str:
    target = side.get("target") if isinstance(side, dict) else None
    return _text(target, "hash") if isinstance(target, dict) else ""


def _one(ref: str, before: Any, after: str) -> Sequence[MovedBranch] | NotAPush:
    if ref.startswith("refs/tags/"):
        return NotAPush("a tag, not a branch")
    if ref.startswith("refs/") and not ref.startswith("refs/heads/"):
        return NotAPush(f"{ref[:100]!r} is no branch")
    branch = branch_name(ref.removeprefix("refs/heads/"))
    if not _SHA.fullmatch(after):
        raise MalformedPushError("after is no full SHA")
    if not after.strip("0"):
        return NotAPush("the branch was deleted")
    if not isinstance(before, str) or (before and not _SHA.fullmatch(before)):
        raise MalformedPushError("before is no full SHA")
    return [MovedBranch(branch, before if before.strip("0") else "", after)]


def _text(payload: Mapping[str, Any], key: str) -> str:
    value = payload.get(key)
    if not isinstance(value, str) or len(value) > 1000:
        raise MalformedPushError(f"{key} is no text")
    return value
