"""Who may use the service, and the security headers of every answer.

A read token cannot write; what a token with a name may is said by its role, and what is done with it is recorded under
the name. What needs another right than reading asks for it itself (:func:`require`). Browsers cannot send a bearer token by themselves, so for
reading a token is also accepted as the password of HTTP Basic; not for writing, since a browser would attach it to a
request that another site made.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infraaudit.pages.audit import STYLE_HASH
from infraaudit_domain.judging.roles import NAMELESS, ONLY_READING, RIGHTS, Holder, Right, missing

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

    ``scope["state"]`` gets the ``rights`` of who asks, the ``name`` of the token or an empty one, and whether any token is
    set (``is_closed``). A webhook that carries a token with the right to push counts as signed.
    """

    def __init__(
        self,
        app: ASGIApp,
        read: Sequence[str] = (),
        write: Sequence[str] = (),
        named: Mapping[str, Holder] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._known = [
            *((name, one.tokens, RIGHTS[one.role]) for name, one in named.items()),
            ("", write, NAMELESS),
            ("", read, frozenset({Right.READ})),
        ]
        self._is_closed = any(tokens for _, tokens, _ in self._known)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        name, rights = self._allowed(scope)
        scope.setdefault("state", {}).update(name=name, rights=rights, is_closed=self._is_closed)
        if self._is_open(scope["path"]) or (rights and (scope["method"] in _READING or rights - ONLY_READING)):
            await self._app(scope, receive, with_headers)
            return
        refused = JSONResponse({"error": "this token may only read"}, 403)
        if not rights:
            refused = JSONResponse({"error": "a token is needed: Authorization: Bearer …"}, 401)
            refused.raw_headers.append((b"www-authenticate", _CHALLENGE))
        await refused(scope, receive, with_headers)

    def _is_open(self, path: str) -> bool:
        return not self._is_closed or path == "/healthz" or path.startswith("/webhooks/")

    def _allowed(self, scope: Scope) -> tuple[str, frozenset[Right]]:
        """The name and the rights of who asks; a password has those that reading takes, and only for reading."""
        if not self._is_closed:
            return "", ONLY_READING
        bearer, reads = _bearer(scope), scope["method"] in _READING
        given = bearer or (_password(scope) if reads else b"")
        # All are compared, so that the time does not tell which it was.
        found = [(name, rights) for name, tokens, rights in self._known if _is_among(given, tokens)]
        name, rights = found[0] if found else ("", frozenset[Right]())
        return (name, rights) if bearer else ("", rights & ONLY_READING)


def require(request: Request, right: Right) -> str:
    """The name of the token that has a right, or an empty one. Raises HTTPException 401 without a token, 403 without it."""
    if right in request.state.rights:
        return str(request.state.name)
    if not request.state.is_closed:
        said = "a token is needed, and none is set (INFRAAUDIT_SERVICE_NAMED_TOKENS): Authorization: Bearer …"
        raise HTTPException(401, said, {"WWW-Authenticate": "Bearer"})
    raise HTTPException(403, missing(right))


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
