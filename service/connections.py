"""Limits of connections: whoever sends half a request, or reads none of the answer, does not keep others from theirs.

Uvicorn limits neither the time that a request's head may take nor the connections of one address; its own limit answers
503 to everybody once it is reached. Here the oldest unfinished requests make room for new ones, first those of the same
address. Deliberately absent: the size of a body (webhook.py), and limits of what one address may ask for.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Seconds, and numbers of connections."""

    head_seconds: float = 10.0
    """From the first byte of a request, or from the connection, to the end of its headers."""
    body_seconds: float = 20.0
    stalled_seconds: float = 30.0
    """Without the client taking anything of an answer that waits for it."""
    grace_seconds: float = 1.0
    """For which an unfinished request never has to make room."""
    of_one_address: int = 100
    unfinished: int = 400
    open: int = 800


class _Open:
    """The open connections, oldest first."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._connections: dict[Any, None] = {}

    def admit(self, new: Any) -> None:
        """Take a connection in; older unfinished ones are closed for it where there are too many."""
        self._connections[new] = None
        limits = self.limits
        unfinished = [one for one in self._connections if one.unfinished_for() > limits.grace_seconds]
        same = [one for one in unfinished if one.address == new.address]
        leaving = [*same[: max(0, len(same) - limits.of_one_address)], *unfinished[: -limits.unfinished]]
        if len(self._connections) > limits.open:
            leaving.append(next((one for one in self._connections if one.unfinished_for() >= 0), new))
        for one in leaving:
            one.drop()

    def leave(self, gone: Any) -> None:
        self._connections.pop(gone, None)


def limited_protocol(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """Uvicorn's protocol of a connection, within these limits, which all connections of a server share."""
    base: Any = AutoHTTPProtocol
    is_open = _Open(limits)

    class Limited(base):  # type: ignore[misc]
        """One connection: it waits for a request's head, then for its body, then for the client to take the answer."""

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self.address = (transport.get_extra_info("peername") or ("",))[0]
            self._state, self._since, self._left = "head", self.loop.time(), 0
            self._check_later()
            is_open.admit(self)

        def connection_lost(self, exc: Exception | None) -> None:
            is_open.leave(self)
            self._next.cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._state == "idle":
                self._enter("head")
            super().data_received(data)

        def on_response_complete(self) -> None:
            self._enter("idle")
            super().on_response_complete()

        def unfinished_for(self) -> float:
            """For how many seconds a request has been coming in; negative where none is."""
            self._look()
            return self.loop.time() - self._since if self._state in ("head", "body") else -1.0

        def drop(self) -> None:
            is_open.leave(self)
            self.transport.abort()

        def _enter(self, state: str) -> None:
            self._state, self._since = state, self.loop.time()

        def _look(self) -> None:
            if self.cycle is None or self.cycle.response_complete:
                return
            state = "body" if self.cycle.more_body else "answer"
            left = self.transport.get_write_buffer_size()
            # An answer that is still being made, or of which the client takes some, is no reason to close.
            if state != self._state or (state == "answer" and (not left or left != self._left)):
                self._enter(state)
            self._left = left

        def _check(self) -> None:
            self._look()
            most = {"head": limits.head_seconds, "body": limits.body_seconds, "answer": limits.stalled_seconds}
            # A connection that is idle between two requests is closed by Uvicorn's own timer.
            if self.loop.time() - self._since > most.get(self._state, float("inf")):
                self.drop()
            else:
                self._check_later()

        def _check_later(self) -> None:
            self._next = self.loop.call_later(min(1.0, limits.head_seconds / 4), self._check)

    return Limited
