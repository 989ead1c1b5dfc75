"""Ask a forge's API, and read what its answer means.

The token goes to the configured address alone: redirects are not followed, certificates are verified. An answer has a
time limit for all of it and a limit of size: whoever answers in its place holds nobody up. Deliberately absent: trying
again (infraaudit/forge).
"""

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, cast

from infraaudit_domain.errors import ConfigurationError, excerpt
from infraaudit_domain.forge.answers import Answer, Result, pause_of, result_of
from infraaudit_domain.forge.statuses import CommitStatus
from infraaudit_domain.reporting.forge_address import Forge, ForgeKind
from resources.forge import bitbucket, bitbucket_dc, gitea, github, gitlab
from resources.forge.request import Adapter, Request

if TYPE_CHECKING:
    import httpx

SECONDS = 10.0
"""For a whole answer."""
_WORDS = 200
_ADAPTERS: Mapping[ForgeKind, ModuleType] = {
    ForgeKind.GITHUB: github,
    ForgeKind.GITLAB: gitlab,
    ForgeKind.GITEA: gitea,
    ForgeKind.BITBUCKET: bitbucket,
    ForgeKind.BITBUCKET_DC: bitbucket_dc,
}


def adapter_of(kind: ForgeKind) -> Adapter:
    """What a kind of forge is asked."""
    return cast(Adapter, _ADAPTERS[kind])


def new_connections() -> "httpx.AsyncClient":
    """Connections to forges, for one event loop; to be closed. Raises ConfigurationError."""
    import httpx

    # No content coding: a small compressed answer may be gigabytes.
    headers = {"Accept-Encoding": "identity", "User-Agent": "infraaudit"}
    try:
        return httpx.AsyncClient(
            timeout=SECONDS,
            headers=headers,
            follow_redirects=False,
            verify=_trusted(),
            # One forge that hangs may hold as many connections as it has projects: others are not to wait for them.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            # Plain HTTP is for a forge on this machine: no proxy is shown the token.
            mounts={"http://": None},
        )
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        raise ConfigurationError(
            "No forge can be asked: correct the environment's SSL_CERT_FILE, SSL_CERT_DIR, HTTPS_PROXY or ALL_PROXY "
            f"({excerpt(str(error), _WORDS)})."
        ) from error


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Whose certificates count; reading them takes longer than sending."""
    import httpx

    return httpx.create_ssl_context()


@dataclass(frozen=True)
class ForgeClient:
    """One repository on a forge, with the token for it."""

    forge: Forge
    token: str = field(repr=False)
    connections: "httpx.AsyncClient"

    @property
    def adapter(self) -> Adapter:
        return adapter_of(self.forge.kind)

    async def set_status(self, sha: str, status: CommitStatus, link: str) -> Answer:
        """Set a status of a commit; where that is not there, the answer says whether the repository is."""
        answer = await self.ask(self.adapter.status(self.forge, sha, status, link))
        if answer.result is not Result.ABSENT:
            return answer
        repository = await self.ask(self.adapter.repository(self.forge))
        if repository.result is Result.TAKEN:
            return answer
        denied = repository.result in (Result.DENIED, Result.ABSENT)
        return Answer(Result.DENIED if denied else repository.result, repository.words, repository.pause)

    async def ask(self, request: Request) -> Answer:
        """Send one request."""
        import httpx

        try:
            url = httpx.URL(f"{self.forge.api}{request.path}")
            async with asyncio.timeout(SECONDS):
                return await self._sent(url, request)
        except (httpx.LocalProtocolError, UnicodeError):
            return Answer(Result.DENIED, "the token cannot be sent: it has characters that no token has")
        except httpx.InvalidURL as error:
            return Answer(Result.DENIED, f"correct api in the projects file: {self._without_token(str(error))}")
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            words = self._without_token(str(error)) or type(error).__name__
            return Answer(Result.BUSY, f"{url.host} does not answer: {words}")

    async def _sent(self, url: "httpx.URL", request: Request) -> Answer:
        headers = self.adapter.headers(self.token)
        async with self.connections.stream(request.method, url, json=request.body, headers=headers) as response:
            body = b""
            async for part in response.aiter_raw():
                body += part
                if len(body) > request.longest:
                    break
            given = {name.lower(): value for name, value in response.headers.items()}
            return self._read(response.status_code, given, body[: request.longest])

    def _read(self, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        words = body.decode("utf-8", "replace")
        pause = pause_of(status, headers, datetime.now(UTC))
        result = result_of(status, pause)
        # What a forge says in its own way is never more than what its limits say.
        result = result if pause is not None else self.adapter.read(status, words) or result
        if result is Result.TAKEN and headers.get("content-type", "").startswith("text/html"):
            # Of a sign-in page or the forge's own pages: nothing was taken.
            said = "it answers with a page and not as an API: correct api in the projects file"
            return Answer(Result.DENIED, f"HTTP {status}: {said}")
        if result is Result.TAKEN:
            return Answer(result, content=words)
        if 300 <= status < 400:
            place = headers.get("location", "")
            said = f"it sends us to another address, {self._without_token(place)}: correct the projects file"
            return Answer(result, f"HTTP {status}: {said}")
        said = self._without_token(_message(words))
        return Answer(result, f"HTTP {status}: {said}" if said else f"HTTP {status}", pause)

    def _without_token(self, words: str) -> str:
        """Words for a log: what repeats our request must not bring the token there."""
        headers = self.adapter.headers(self.token)
        sent = (headers[name].split(" ")[-1] for name in ("Authorization", "PRIVATE-TOKEN") if name in headers)
        secrets = sorted({self.token, self.token.partition(":")[2], *sent} - {""}, key=len, reverse=True)

        def hidden(text: str) -> str:
            for secret in secrets:
                text = text.replace(secret, "…")
            return text

        # Again without control characters, which may have parted it; shortened last, or half of one would be left.
        return excerpt(hidden(excerpt(hidden(words), len(words))), _WORDS)


def _message(words: str) -> str:
    """The message of an error, wherever a forge has it; else its whole text."""
    try:
        found = json.loads(words)
    except (ValueError, RecursionError):
        return words
    if isinstance(found, dict):
        for name in ("message", "error_description", "error", "errors"):
            if found.get(name):
                return found[name] if isinstance(found[name], str) else json.dumps(found[name])
    return words
