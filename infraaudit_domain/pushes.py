"""What a forge reports of a push, and whether the report is authentic.

GitHub, Gitea and Forgejo, GitLab, Bitbucket, and a plain ``{"ref", "after"}`` for anything else. The payload is
outside input: the type and shape of everything is checked, and nothing in it is used as a path, URL or option.
Deliberately absent: reading requests, storing pushes.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from infraaudit_domain.errors import MalformedPushError

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ODD = r"\x00-\x20\x7f~^:?*\[\\\ud800-\udfff"
_BRANCH = re.compile(rf"[^{_ODD}-][^{_ODD}]{{0,254}}")
_DELIVERY_HEADERS = {
    "github": "x-github-delivery",
    "gitea": "x-gitea-delivery",
    "gitlab": "x-gitlab-event-uuid",
    "bitbucket": "x-request-uuid",
    "plain": "x-infraaudit-delivery",
}
_SIGNATURE_HEADERS = {
    "github": ("x-hub-signature-256",),
    "gitea": ("x-gitea-signature", "x-hub-signature-256"),
    "gitlab": ("x-gitlab-token",),
    "bitbucket": ("x-hub-signature",),
    "plain": ("x-infraaudit-signature",),
}


_HALF = 20


class Arrival(StrEnum):
    """What a signed request is to those before it."""

    STORED = "stored"
    KNOWN = "known"
    """The forge sent the same delivery again."""
    REPLAYED = "replayed"
    """The body came before, and under another id: by a forge's button to send it anew, or by somebody who kept it."""


REPLAY_WINDOW = timedelta(hours=24)
"""For how long a body counts as sent before; what it could start later has run long since."""


class PushState(StrEnum):
    """How far the processing of a stored push has come."""

    WAITING = "waiting"
    DONE = "done"
    IGNORED = "ignored"
    FAILED = "failed"


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


def forge_of(headers: Mapping[str, str]) -> str:
    """Which forge sent a request, by its headers (lower case). Gitea sends GitHub's headers too."""
    if "x-gitea-event" in headers or "x-forgejo-event" in headers:
        return "gitea"
    if "x-github-event" in headers:
        return "github"
    if "x-gitlab-event" in headers:
        return "gitlab"
    return "bitbucket" if "x-event-key" in headers else "plain"


def is_signed(forge: str, headers: Mapping[str, str]) -> bool:
    """Whether a request carries a signature or token at all; if not, its body need not be read."""
    return bool(_signature(forge, headers))


def is_authentic(forge: str, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
    """Whether one of the project's secrets signed the body (GitLab: was sent with it). An empty one is none."""
    given = _signature(forge, headers).encode("utf-8", "surrogateescape")
    real = [secret for secret in secrets if secret]
    expected = real if forge == "gitlab" else [sign(body, secret) for secret in real]
    # Every secret is compared, so that the time taken does not reveal which one matched.
    return sum(hmac.compare_digest(given, one.encode()) for one in expected) > 0


def _signature(forge: str, headers: Mapping[str, str]) -> str:
    given = next((headers[name] for name in _SIGNATURE_HEADERS[forge] if headers.get(name)), "")
    return given if forge == "gitlab" else given.removeprefix("sha256=")


def sign(body: bytes, secret: str) -> str:
    """The hexadecimal HMAC-SHA256 of a body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def push_id(project: str, forge: str, headers: Mapping[str, str], body: bytes) -> str:
    """The same for a push and its redelivery: from its body, which is signed, and the forge's id for it, which is not.

    The first half is of the body alone, see :func:`of_the_same_body`.
    """
    content = hashlib.sha256(body).hexdigest()
    given = headers.get(_DELIVERY_HEADERS[forge], "") or content
    return _digest(project, forge, content) + _digest(project, forge, content, given)


def of_the_same_body(push_id: str) -> str:
    """What the ids of all pushes with the same body begin with."""
    return push_id[:_HALF]


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:_HALF]


def moved_branches(forge: str, headers: Mapping[str, str], payload: Any) -> Sequence[MovedBranch] | NotAPush:
    """The branches that an event moved. Raises MalformedPushError."""
    if not isinstance(payload, dict):
        raise MalformedPushError("the body is no JSON object")
    event = headers.get(
        {
            "github": "x-github-event",
            "gitea": "x-gitea-event",
            "gitlab": "x-gitlab-event",
            "bitbucket": "x-event-key",
        }.get(forge, ""),
        "push",
    )
    if forge == "gitea" and "x-gitea-event" not in headers:
        event = headers.get("x-forgejo-event", "")
    if event not in ("push", "Push Hook", "repo:push"):
        return NotAPush("ping" if event == "ping" else f"the event {event[:40]!r} is no push")
    if forge == "bitbucket":
        return _bitbucket(payload)
    return _one(_text(payload, "ref"), payload.get("before") or "", _text(payload, "after"))


def _bitbucket(payload: Mapping[str, Any]) -> Sequence[MovedBranch] | NotAPush:
    push = payload.get("push")
    changes = push.get("changes") if isinstance(push, dict) else None
    if not isinstance(changes, list) or len(changes) > 100 or not all(isinstance(c, dict) for c in changes):
        raise MalformedPushError("push.changes is no list of at most 100 objects")
    pushes: list[MovedBranch] = []
    for change in changes:
        new, old = change.get("new"), change.get("old")
        if not isinstance(new, dict) or new.get("type") != "branch":
            continue
        found = _one(f"refs/heads/{_text(new, 'name')}", _hash(old) if old else "", _hash(new))
        pushes += [] if isinstance(found, NotAPush) else found
    return pushes or NotAPush("no branch was moved")


def _hash(side: Any) -> str:
    target = side.get("target") if isinstance(side, dict) else None
    return _text(target, "hash") if isinstance(target, dict) else ""


def _one(ref: str, before: Any, after: str) -> Sequence[MovedBranch] | NotAPush:
    if ref.startswith("refs/tags/"):
        return NotAPush("a tag, not a branch")
    branch = ref.removeprefix("refs/heads/")
    if (
        not _BRANCH.fullmatch(branch)
        or ".." in branch
        or branch.startswith("/")
        or branch.endswith(("/", ".lock", "."))
    ):
        raise MalformedPushError("ref is no branch name that Git allows")
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
