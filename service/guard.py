"""Who may use the service, and the security headers of every answer.

A read token cannot write; a write token can also read, and so can one with a name, by which what is done with it is
recorded. Browsers cannot send a bearer token by themselves, so for
reading a token is also accepted as the password of HTTP Basic; not for writing, since a browser would attach it to a
request that another site made.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infraaudit.pages.audit import STYLE_HASH

_POLICY = (
    f"default-src 'none'; style-src '{STYLE_HASH}'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_CHALLENGE = b'Bearer, Basic realm="InfraAudit: any name, the token as password", charset="UTF-8"'
_READING = ("GET", "HEAD")


class Guard:
    """With tokens set, every path except health and webhooks (which are signed) needs one; with none set, all are open.

    A webhook that carries a write token counts as signed: ``scope["state"]["may_write"]``. ``scope["state"]["name"]`` is
    whose named token came, or empty.
    """

    def __init__(
        self,
        app: ASGIApp,
        read: Sequence[str] = (),
        write: Sequence[str] = (),
        named: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self._named = {name: tuple(tokens) for name, tokens in named.items()}
        self._app, self._write = app, (*write, *(token for tokens in self._named.values() for token in tokens))
        self._all = (*read, *self._write)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        may_write = _is_among(_bearer(scope), self._write)
        scope.setdefault("state", {}).update(may_write=may_write, name=self._whose(scope))
        if self._is_open(scope["path"]) or may_write or self._may_read(scope):
            await self._app(scope, receive, with_headers)
            return
        refused = JSONResponse({"error": "a token is needed: Authorization: Bearer …"}, 401)
        refused.raw_headers.append((b"www-authenticate", _CHALLENGE))
        await refused(scope, receive, with_headers)

    def _is_open(self, path: str) -> bool:
        return not self._all or path == "/healthz" or path.startswith("/webhooks/")

    def _whose(self, scope: Scope) -> str:
        given = _bearer(scope)
        return next(iter([name for name, tokens in self._named.items() if _is_among(given, tokens)]), "")

    def _may_read(self, scope: Scope) -> bool:
        given = _bearer(scope) or _password(scope)
        return scope["method"] in _READING and _is_among(given, self._all)


def _is_among(given: bytes, tokens: Sequence[str]) -> bool:
    """Whether it is one of the tokens, in constant time."""
    return sum(hmac.compare_digest(given, token.encode()) for token in tokens if token) > 0


def _bearer(scope: Scope) -> bytes:
    kind, _, token = _authorization(scope).partition(b" ")
    return token.strip() if kind.lower() == b"bearer" else b""


def _password(scope: Scope) -> bytes:
    kind, _, encoded = _authorization(scope).partition(b" ")
    if kind.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _authorization(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name == b"authorization"), b"")
