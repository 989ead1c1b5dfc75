"""The body of what is written through the API: one JSON object, bounded, with the keys that are known."""

import json
from collections.abc import Collection
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

MOST_BYTES = 16 * 1024


async def given_object(request: Request, known: Collection[str]) -> dict[str, Any]:
    """The object of a body. Raises HTTPException 413 for a large one, 400 for another value or an unknown key."""
    try:
        given = json.loads(await _body(request))
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body is no JSON") from error
    if not isinstance(given, dict) or not set(given) <= set(known):
        raise HTTPException(400, f"the body is an object with {', '.join(known)}")
    return given


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"the body has at most {MOST_BYTES} bytes")
    return body
