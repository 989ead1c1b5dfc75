"""`POST /webhooks/{project}`: take a push, store it, answer. Nothing here waits for Git or Dagster.

What is refused is refused with a reason, before anything is stored: unknown project 404, no or a wrong signature
401 (a write token is as good as one), a body too large 413 or too slow 408, and one that is no push payload 400.
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
from infraaudit_domain.pushes import NotAPush, Push, delivery_id, forge_of, is_authentic, is_signed, parse_pushes
from resources.history.pushes import Delivery
from service.received import Received

MAX_BODY = 1024 * 1024
BODY_SECONDS = 10.0
_MAX_DEPTH = 60
REASONS = ("unknown_project", "no_secret", "signature", "malformed", "too_large", "too_slow", "not_stored")
"""Why a request may be refused; each is a label of the metric, there from the start."""
_LOG = logging.getLogger("infraaudit.webhook")


class _Refused(Exception):
    def __init__(self, status: int, reason: str, label: str) -> None:
        super().__init__(reason)
        self.status, self.reason, self.label = status, reason, label


class Webhook:
    """The receiver of every project's pushes."""

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
        """Answer one delivery."""
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
            return JSONResponse({"error": "the delivery could not be stored; send it again"}, status_code=503)

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
            pushes = parse_pushes(forge, headers, _json(body))
        except MalformedPushError as error:
            raise _Refused(400, str(error), "malformed") from error
        if isinstance(pushes, NotAPush):
            return JSONResponse({"state": "ignored", "reason": pushes.reason})
        given = delivery_id(project, forge, headers, body)
        stored = await run_in_threadpool(self._received.keep, given, _rows(given, project, forge, pushes))
        self._wake()
        return JSONResponse({"state": "stored" if stored else "known", "delivery": given}, status_code=202)


def _rows(given: str, project: str, forge: str, pushes: Sequence[Push]) -> list[Delivery]:
    now = datetime.now(UTC)
    return [
        Delivery(f"{given}-{index}", project, forge, push.branch, push.before, push.after, now)
        for index, push in enumerate(pushes)
    ]


async def _body(request: Request) -> bytes:
    """The whole body, within limits of size and time."""
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
        raise MalformedPushError("the body is no JSON in UTF-8") from error
    if _depth(parsed) > _MAX_DEPTH:
        raise MalformedPushError(f"the body is nested deeper than {_MAX_DEPTH}")
    return parsed


def _depth(value: Any) -> int:
    """How deep a value is nested; without recursion, and no deeper than the limit needs."""
    level, depth = [value], 0
    while level and depth <= _MAX_DEPTH:
        depth += 1
        level = [inner for outer in level for inner in _children(outer)]
    return depth


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
