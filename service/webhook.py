"""`POST /webhooks/{project}`: take a push, store it, answer. Nothing here waits for Git or Dagster.

A request is refused, with a reason and before anything is stored, for an unknown project (404), a missing or wrong
signature (401; a token with the right to push stands in for one), a body that is too large (413), too slow (408) or malformed (400), and
a large body where there are too many of them at a time (503).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from types import MappingProxyType
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from infraaudit_domain.errors import HistoryError, MalformedPushError, excerpt
from infraaudit_domain.forge.change_requests import ChangeRequest
from infraaudit_domain.forge.payloads import MovedBranch, NotAPush, moved_branches
from infraaudit_domain.forge.request_payloads import change_request_of
from infraaudit_domain.judging.audit_log import Actor, Via
from infraaudit_domain.judging.roles import Right
from infraaudit_domain.pushes import Arrival, forge_of, is_authentic, may_be_authentic, push_id, signs_the_payload
from infraaudit_domain.repositories.urls import other_repository
from resources.git.program import without_password
from resources.history.pushes import Push
from service.body import (
    IN_MEMORY,
    MAX_BODY,
    Body,
    BusyError,
    TooLargeError,
    is_form,
    read_json,
    receive_into,
    unpack_form,
)
from service.received import Received

BODY_SECONDS = 10.0
REASONS = (
    "unknown_project",
    "no_secret",
    "signature",
    "malformed",
    "too_large",
    "too_slow",
    "busy",
    "not_stored",
    "replayed",
)
"""Why a request may be refused: the label values of the metric, all exported from the start."""
_MOST_LARGE = 3
"""How many large bodies there may be at a time, read or waited for."""
_RETRY_SECONDS = 30
"""A large body has to be there within 20 seconds."""
_READERS = 2
"""How many bodies that take long are read at a time; the API's threads stay free."""
_Said = Sequence[MovedBranch] | ChangeRequest | NotAPush
_Found = tuple[str, _Said]
KeepRequest = Callable[[ChangeRequest], bool]
_LOG = logging.getLogger("infraaudit.webhook")


class _Refused(Exception):
    def __init__(self, status: int, reason: str, label: str) -> None:
        super().__init__(reason)
        self.status, self.reason, self.label = status, reason, label


class Webhook:
    """Receives the pushes of every project."""

    def __init__(
        self,
        received: Received,
        secrets: Mapping[str, Sequence[str]],
        projects: Sequence[str],
        rejected: Counter[str],
        wake: Callable[[], None],
        spool: Path | None = None,
        urls: Mapping[str, str] = MappingProxyType({}),
        keep_request: Mapping[str, KeepRequest] = MappingProxyType({}),
    ) -> None:
        """``urls`` are the projects' repositories; a push that is certainly of another one is ignored. ``keep_request``
        stores a request of each project that takes them, and says whether it was news."""
        self._urls, self._keep_request = urls, keep_request
        self._received, self._secrets, self._projects = received, secrets, frozenset(projects)
        self._rejected, self._wake, self._spool = rejected, wake, spool
        self._large = BoundedSemaphore(_MOST_LARGE)
        self._readers = asyncio.Semaphore(_READERS)

    async def receive(self, request: Request) -> JSONResponse:
        """Answer one request."""
        project = str(request.path_params["project"])
        try:
            return await self._take(project, request)
        except _Refused as refused:
            self._rejected[refused.label] += 1
            _LOG.warning("Webhook of %s refused: %s", excerpt(project, 80), refused.reason)
            later = {"Retry-After": str(_RETRY_SECONDS)} if refused.status == 503 else None
            return JSONResponse({"error": refused.reason}, refused.status, later)
        except OSError as error:
            self._rejected["not_stored"] += 1
            _LOG.error("Webhook of %s not stored: %s. Is the disk full?", project, error.strerror)
            return JSONResponse({"error": "the push could not be stored; send it again"}, status_code=503)

    async def _take(self, project: str, request: Request) -> JSONResponse:
        if project not in self._projects:
            raise _Refused(404, "no such project", "unknown_project")
        secrets, trusted = self._secrets.get(project, ()), Right.PUSH in request.state.rights
        if not secrets and not trusted:
            raise _Refused(401, "no webhook secret is configured for this project", "no_secret")
        headers = {name.lower(): value for name, value in request.headers.items()}
        forge = forge_of(headers)
        if not trusted and not may_be_authentic(forge, headers, secrets):
            raise _Refused(401, "the signature is missing or wrong", "signature")
        with Body(self._spool, self._large) as body, Body(self._spool) as payload:
            await _receive(body, request)
            url = self._urls.get(project, "")
            seen = change_request_of if project in self._keep_request else _no_request
            read = partial(_read, project, url, forge, headers, body, payload, None if trusted else secrets, seen)
            beside = body.size > IN_MEMORY or is_form(headers.get("content-type", ""))
            given, branches = await self._beside(read) if beside else read()
        if isinstance(branches, ChangeRequest):
            return await self._take_request(project, branches)
        if isinstance(branches, NotAPush):
            return JSONResponse({"state": "ignored", "reason": branches.reason})
        stored = await run_in_threadpool(self._received.keep, given, _pushes(given, project, forge, branches))
        self._wake()
        if stored is Arrival.STORED and trusted:
            await run_in_threadpool(self._received.note, _sender(request), project, [one.branch for one in branches])
        if stored is Arrival.REPLAYED:
            self._rejected["replayed"] += 1
            _LOG.warning("Webhook of %s: a body that came before, under another delivery id; nothing is done.", project)
        return JSONResponse({"state": stored.value, "delivery": given}, status_code=202)

    async def _take_request(self, project: str, seen: ChangeRequest) -> JSONResponse:
        try:
            is_news = await run_in_threadpool(self._keep_request[project], seen)
        except HistoryError as error:
            raise _Refused(503, "the request cannot be stored now; send it again", "not_stored") from error
        state = Arrival.STORED if is_news else Arrival.KNOWN
        return JSONResponse({"state": state.value, "request": seen.number}, status_code=202)

    async def _beside(self, read: Callable[[], _Found]) -> _Found:
        async with self._readers:
            return await run_in_threadpool(read)


def _sender(request: Request) -> Actor:
    address = request.client.host if request.client else ""
    return Actor(request.state.name or "a write token", Via.WEBHOOK, address)


def _pushes(given: str, project: str, forge: str, branches: Sequence[MovedBranch]) -> list[Push]:
    now = datetime.now(UTC)
    return [
        Push(f"{given}-{index}", project, forge, moved.branch, moved.before, moved.after, now)
        for index, moved in enumerate(branches)
    ]


async def _receive(body: Body, request: Request) -> None:
    try:
        await receive_into(body, request, BODY_SECONDS)
    except TooLargeError as error:
        raise _Refused(413, f"the body is larger than {MAX_BODY} bytes", "too_large") from error
    except BusyError as error:
        raise _Refused(503, "too many large bodies at a time; send it again", "busy") from error
    except TimeoutError as error:
        raise _Refused(408, "the body did not come in time", "too_slow") from error
    except MalformedPushError as error:
        raise _Refused(400, str(error), "malformed") from error


def _read(
    project: str,
    url: str,
    forge: str,
    headers: Mapping[str, str],
    body: Body,
    payload: Body,
    secrets: Sequence[str] | None,
    request_of: Callable[[str, Mapping[str, str], Any], ChangeRequest | None],
) -> _Found:
    """The id of an authentic push and the branches that it moved, or the request that it is about; without ``secrets``
    its sender is trusted already."""
    try:
        content = _authentic_content(forge, headers, body, payload, secrets)
        if content is None:
            raise _Refused(401, "the signature is missing or wrong", "signature")
        said = read_json(content)
        moved: _Said = request_of(forge, headers, said) or moved_branches(forge, headers, said)
        if not isinstance(moved, NotAPush) and (other := other_repository(said, url)):
            moved = NotAPush(f"a push to {excerpt(without_password(other), 200)}; the repository here is {project}'s")
        return push_id(project, forge, headers, content), moved
    except MalformedPushError as error:
        raise _Refused(400, str(error), "malformed") from error


def _no_request(forge: str, headers: Mapping[str, str], payload: Any) -> None:
    """For a project that takes no requests: what is said of one is no push, however odd it is."""


def _authentic_content(
    forge: str, headers: Mapping[str, str], body: Body, payload: Body, secrets: Sequence[str] | None
) -> Body | None:
    """What holds the JSON: the body, or the payload of a form; None where neither is authentic."""
    authentic = secrets is None or is_authentic(forge, headers, body, secrets)
    if not is_form(headers.get("content-type", "")):
        return body if authentic else None
    if not authentic and not signs_the_payload(forge):
        return None
    unpack_form(body, payload)
    return payload if authentic or is_authentic(forge, headers, payload, secrets or ()) else None
