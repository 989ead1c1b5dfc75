"""Who sent a push, whether it is authentic, and what it is to those before it.

GitHub, Gitea with Forgejo and Gogs, GitLab, Bitbucket (Cloud and Data Center), Azure DevOps, and a plain
``{"ref", "after"}`` for anything else. Deliberately absent: what a payload says (forge/payloads.py), reading requests, storing
pushes; Gerrit, which sends no webhooks but a stream over SSH: there the Git sensor finds the commits.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum

_DELIVERY_HEADERS = {
    "github": "x-github-delivery",
    "gitea": "x-gitea-delivery",
    "gitlab": "x-gitlab-event-uuid",
    "bitbucket": "x-request-uuid",
    "bitbucket-dc": "x-request-id",
    "azure": "x-vss-activityid",
    "plain": "x-infraaudit-delivery",
}
_SIGNATURE_HEADERS = {
    "github": ("x-hub-signature-256",),
    "gitea": ("x-gitea-signature", "x-forgejo-signature", "x-gogs-signature", "x-hub-signature-256"),
    "gitlab": ("x-gitlab-token",),
    "bitbucket": ("x-hub-signature",),
    "bitbucket-dc": ("x-hub-signature",),
    "azure": ("authorization",),
    "plain": ("x-infraaudit-signature",),
}
Parts = bytes | Iterable[bytes]
"""A body, at once or in parts that can be gone through again."""
_SENDS_THE_SECRET = ("gitlab", "azure")
"""These send the secret itself instead of a signature."""
_SIGNS_THE_PAYLOAD = ("gitea",)
"""Where the JSON is a form's field, these sign that and not the form."""
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


def forge_of(headers: Mapping[str, str]) -> str:
    """Which forge sent a request, by its headers (lower case). Gitea sends GitHub's headers too."""
    if headers.keys() & {"x-gitea-event", "x-forgejo-event", "x-gogs-event"}:
        return "gitea"
    if "x-github-event" in headers:
        return "github"
    if "x-gitlab-event" in headers:
        return "gitlab"
    if "x-event-key" in headers:  # Cloud identifies a delivery by another header than Data Center.
        of_cloud = "x-request-uuid" in headers or "x-hook-uuid" in headers or headers["x-event-key"] == "repo:push"
        return "bitbucket" if of_cloud else "bitbucket-dc"
    signed = "x-infraaudit-signature" in headers
    return "plain" if signed or not headers.get("authorization", "").lower().startswith("basic ") else "azure"


def may_be_authentic(forge: str, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether a body need be read at all: its request has a signature, or one of the secrets where its forge sends it."""
    if forge in _SENDS_THE_SECRET:
        return is_authentic(forge, headers, b"", secrets)
    return bool(_signature(forge, headers))


def signs_the_payload(forge: str) -> bool:
    """Whether a form's field has to be unpacked to check its signature."""
    return forge in _SIGNS_THE_PAYLOAD


def is_authentic(forge: str, headers: Mapping[str, str], signed: Parts, secrets: Sequence[str]) -> bool:
    """Whether one of the project's secrets signed this (GitLab, Azure DevOps: was sent with it). An empty one is none."""
    given = _signature(forge, headers).encode("utf-8", "surrogateescape")
    real = [secret for secret in secrets if secret]
    right = real if forge in _SENDS_THE_SECRET else [sign(signed, secret) for secret in real]
    # Every secret is compared, so that the time taken does not reveal which one matched.
    return sum(hmac.compare_digest(given, one.encode()) for one in right) > 0


def _signature(forge: str, headers: Mapping[str, str]) -> str:
    given = next((headers[name] for name in _SIGNATURE_HEADERS[forge] if headers.get(name)), "")
    if forge == "azure":
        return _password(given)
    return given if forge == "gitlab" else given.removeprefix("sha256=")


def _password(authorization: str) -> str:
    try:
        pair = base64.b64decode(authorization.partition(" ")[2].strip(), validate=True)
    except ValueError:  # binascii's, or that it is not ASCII.
        return ""
    return pair.partition(b":")[2].decode("utf-8", "surrogateescape")


def sign(body: Parts, secret: str) -> str:
    """The hexadecimal HMAC-SHA256 of a body."""
    code = hmac.new(secret.encode(), digestmod=hashlib.sha256)
    for part in _parts(body):
        code.update(part)
    return code.hexdigest()


def push_id(project: str, forge: str, headers: Mapping[str, str], content: Parts) -> str:
    """The same for a push and its redelivery: from its JSON, which is signed, and the forge's id for it, which is not.

    The first half is of the JSON alone, see :func:`of_the_same_body`: not of the form that it came in, nor of the forge
    that the headers name, because neither needs to be signed.
    """
    hashed = hashlib.sha256()
    for part in _parts(content):
        hashed.update(part)
    digest = hashed.hexdigest()
    given = headers.get(_DELIVERY_HEADERS[forge], "") or digest
    return _digest(project, digest) + _digest(project, forge, digest, given)


def _parts(body: Parts) -> Iterable[bytes]:
    return [body] if isinstance(body, bytes) else body


def of_the_same_body(push_id: str) -> str:
    """What the ids of all pushes with the same JSON begin with."""
    return push_id[:_HALF]


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:_HALF]
