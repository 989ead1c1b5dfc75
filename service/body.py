"""A webhook's body: received within a limit of size and time, kept on disk where it is large, read in bounded memory.

Forges send up to 25 MB for a push of thousands of commits, of which a few words count. Deliberately absent: what they
mean (infraaudit_domain/forge/payloads.py).
"""

import asyncio
import json
import re
import tempfile
from binascii import unhexlify
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import BoundedSemaphore
from typing import IO, Any

from starlette.requests import ClientDisconnect, Request

from infraaudit_domain.errors import MalformedPushError
from infraaudit_domain.forge.payloads import NEEDED

MAX_BODY = 25 * 1024 * 1024
"""What GitHub sends at most."""
IN_MEMORY = 1024 * 1024
_MAX_DEPTH = 60
_CHUNK = 65536
_FORM = "application/x-www-form-urlencoded"
_PAYLOAD = b"payload="
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_LONGEST_TEXT = 2000
_MOST_VALUES = 20_000
_OPENING, _CLOSING = ("start_map", "start_array"), ("end_map", "end_array")
_NEVER_NEEDED = ("commits.", "resource.commits.", "head_commit.", "repository.", "project.")
"""Where most of a large body is; only a shortcut."""


class TooLargeError(Exception):
    """The body is larger than MAX_BODY."""


class BusyError(Exception):
    """There are as many large bodies as there may be at a time."""


class Body:
    """Bytes on disk, or in memory where they are few; going through it gives them in parts, as often as one likes.

    It is kept below ``folder``, by default the system's for temporary files, and is one of the ``large`` ones until it
    is closed.
    """

    def __init__(self, folder: Path | None = None, large: BoundedSemaphore | None = None) -> None:
        self._held, self._large = ExitStack(), large
        place = str(folder) if folder else None
        file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=place)  # noqa: SIM115 - closed with us
        self._file: IO[bytes] = self._held.enter_context(file)
        self.size = 0

    def __enter__(self) -> "Body":
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while part := self._file.read(_CHUNK):
            yield part

    def write(self, part: bytes) -> None:
        """Raises BusyError."""
        if self.size <= IN_MEMORY < self.size + len(part):
            self._claim_a_place()
        self.size += len(part)
        self._file.write(part)

    def _claim_a_place(self) -> None:
        if self._large is None:
            return
        if not self._large.acquire(blocking=False):
            raise BusyError
        self._held.callback(self._large.release)

    def stream(self) -> IO[bytes]:
        self._file.seek(0)
        return self._file


async def receive_into(body: Body, request: Request, seconds: float) -> None:
    """Receive a request's body; a large one has twice as long.

    Raises TooLargeError, BusyError, TimeoutError, or MalformedPushError where it ends too early.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > MAX_BODY:
        raise TooLargeError
    large = announced.isdecimal() and int(announced[:20]) > IN_MEMORY
    try:
        async with asyncio.timeout(2 * seconds if large else seconds):
            async for part in request.stream():
                if body.size + len(part) > MAX_BODY:
                    raise TooLargeError
                body.write(part)
    except ClientDisconnect as error:
        raise MalformedPushError("the body ended too early") from error


def is_form(content_type: str) -> bool:
    """Whether the JSON is a form's field, as GitHub and Gitea send it by choice."""
    return content_type.partition(";")[0].strip().lower() == _FORM


def unpack_form(form: Body, payload: Body) -> None:
    """Write a form's field ``payload`` into another body. Raises MalformedPushError where there is none."""
    rest, begun = b"", False
    for part in form:
        rest += part.replace(b"+", b" ")
        if not begun:
            if len(rest) < len(_PAYLOAD):
                continue
            if not rest.startswith(_PAYLOAD):
                raise MalformedPushError("the form has no field payload in front")
            rest, begun = rest[len(_PAYLOAD) :], True
        field, ended, _ = rest.partition(b"&")
        cut = re.search(rb"%[0-9A-Fa-f]?\Z", field) if not ended else None
        whole = field[: cut.start()] if cut else field
        payload.write(_decoded(whole))
        rest = field[len(whole) :]
        if ended:
            return
    if not begun:
        raise MalformedPushError("the form has no field payload in front")
    payload.write(_decoded(rest))


def _decoded(field: bytes) -> bytes:
    """A form's text without its escapes. What urllib has for it needs twenty times as long for a row of percent signs."""
    words = _ESCAPE.split(field)  # Every second one is the digits of an escape.
    words[1::2] = map(unhexlify, words[1::2])
    return b"".join(words)


def read_json(body: Body) -> Any:
    """The JSON of a body; of a large one, what counts. Raises MalformedPushError."""
    if body.size > IN_MEMORY:
        return _what_counts(body.stream())
    try:
        parsed = json.loads(b"".join(body).decode("utf-8"), parse_constant=lambda name: None)
    except (ValueError, RecursionError) as error:
        raise MalformedPushError("the body is not JSON in UTF-8") from error
    if _depth(parsed) > _MAX_DEPTH:
        raise MalformedPushError(f"the body is nested deeper than {_MAX_DEPTH}")
    return parsed


def _what_counts(stream: IO[bytes]) -> Any:
    import ijson

    builder, depth, values = ijson.ObjectBuilder(), 0, 0
    try:
        # Without use_float, ijson's parser in C crashes on an integer of thousands of digits.
        for place, event, value in ijson.parse(stream, use_float=True):
            if event in _OPENING:
                depth += 1
                if depth > _MAX_DEPTH:
                    raise MalformedPushError(f"the body is nested deeper than {_MAX_DEPTH}")
            elif event in _CLOSING:
                depth -= 1
            if place.startswith(_NEVER_NEEDED) or not _is_needed(place, event, value):
                continue
            values += 1
            if values > _MOST_VALUES:
                raise MalformedPushError("the push moves too many branches at once")
            builder.event(event, value[:_LONGEST_TEXT] if isinstance(value, str) else value)
    except (ijson.JSONError, ValueError) as error:
        raise MalformedPushError("the body is not JSON in UTF-8") from error
    return getattr(builder, "value", None)


def _is_needed(place: str, event: str, value: Any) -> bool:
    """Whether an event belongs to what is read; a key does where its value may."""
    if event == "map_key":
        place = f"{place}.{value}" if place else str(value)
    return not place or NEEDED.fullmatch(place) is not None


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
