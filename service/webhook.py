"""`POST /webhooks/{project}`: take a push, store it, answer. Nothing here waits for Git or Dagster.

A request is refused, with a reason and before anything is stored, for an unknown project (404), a missing or wrong
signature (401; a write token stands in for one), a body that is too large (413), too slow (408) or malformed (400).
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from infraaudit_domain.errors import MalformedPushError, excerpt
from infraaudit_domain.pushes import (
    Arrival,
    MovedBranch,
    NotAPush,
    forge_of,
    is_authentic,
    is_signed,
    moved_branches,
    push_id,
)
from resources.history.pushes import Push
from service.received import Received

MAX_BODY = 1024 * 1024
BODY_SECONDS = 10.0
_MAX_DEPTH = 60
REASONS = ("unknown_project", "no_secret", "signature", "malformed", "too_large", "too_slow", "not_stored", "replayed")
"""Why a request may be refused: the label values of the metric, all exported from the start."""
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
    ) -> None:
        self._received, self._secrets, self._projects = received, secrets, frozenset(projects)
        self._rejected, self._wake = rejected, wake

    async def receive(self, request: Request) -> JSONResponse:
        """Answer one request."""
        project = str(request.path_params["project"])
        try:
            return await self._take(project, request)
        except _Refused as refused:
            self._rejected[refused.label] += 1
            _LOG.warning("Webhook of %s refused: %s", excerpt(project, 80), refused.reason)
            return JSONResponse({"error": refused.reason}, status_code=refused.status)
        except OSError as error:
            self._rejected["not_stored"] += 1
            _LOG.error("Webhook of %s not stored: %s. Is the disk full?", project, error.strerror)
            return JSONResponse({"error": "the push could not be stored; send it again"}, status_code=503)

    async def _take(self, project: str, request: Request) -> JSONResponse:
        if project not in self._projects:
            raise _Refused(404, "no such project", "unknown_project")
        secrets, trusted = self._secrets.get(project, ()), request.state.may_write
        if not secrets and not trusted:
            raise _Refused(401, "no webhook secret is configured for this project", "no_secret")
        headers = {name.lower(): value for name, value in request.headers.items()}
        forge = forge_of(headers)
        if not trusted and not is_signed(forge, headers):
            raise _Refused(401, "the signature is missing or wrong", "signature")
        body = await _body(request)
        if not trusted and not is_authentic(forge, headers, body, secrets):
            raise _Refused(401, "the signature is missing or wrong", "signature")
        try:
            branches = moved_branches(forge, headers, _json(body))
        except MalformedPushError as error:
            raise _Refused(400, str(error), "malformed") from error
        if isinstance(branches, NotAPush):
            return JSONResponse({"state": "ignored", "reason": branches.reason})
        given = push_id(project, forge, headers, body)
        stored = await run_in_threadpool(self._received.keep, given, _pushes(given, project, forge, branches))
        self._wake()
        if stored is Arrival.REPLAYED:
            self._rejected["replayed"] += 1
            _LOG.warning("Webhook of %s: a body that came before, under another delivery id; nothing is done.", project)
        return JSONResponse({"state": stored.value, "delivery": given}, status_code=202)


def _pushes(given: str, project: str, forge: str, branches: Sequence[MovedBranch]) -> list[Push]:
    now = datetime.now(UTC)
    return [
        Push(f"{given}-{index}", project, forge, moved.branch, moved.before, moved.after, now)
        for index, moved in enumerate(branches)
    ]


async def _body(request: Request) -> bytes:
    """The whole body, limited in size and time."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY:
                    raise _Refused(413, f"the body is larger than {MAX_BODY} bytes", "too_large")
                parts.append(part)
    except ClientDisconnect as error:
        raise _Refused(400, "the body ended too early", "malformed") from error
    except TimeoutError as error:
        raise _Refused(408, f"the body did not come within {BODY_SECONDS:.0f} seconds", "too_slow") from error
    return b"".join(parts)


def _json(body: bytes) -> Any:
    try:
        parsed = json.loads(body.decode("utf-8"), parse_constant=lambda name: None)
    except (ValueError, RecursionError) as error:
        raise MalformedPushError("the body is not JSON in UTF-8") from error
    if _depth(parsed) > _MAX_DEPTH:
        raise MalformedPushError(f"the body is nested deeper than {_MAX_DEPTH}")
    return parsed


def _depth(value: Any) -> int:
    """How deeply a value is nested: computed without recursion, and only as far as the limit."""
    level, depth = [value], 0
    while level and depth <= _MAX_DEPTH:
        depth += 1
        level = [inner for outer in level for inner in _children(outer)]
    return depth


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
