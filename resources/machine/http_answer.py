"""Ask something that may be hostile for a page: its status and the start of its body, within a time for all of it.

A time limit on each read, as HTTP libraries have it, lets a server that sends a byte now and then hold us for ever.
Redirects are not followed, and certificates are not checked, as the kubelet does it. Deliberately absent: reading what
was answered (nothing of a deployed application's pages is parsed here).
"""

import http.client
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Timer

_START = 300


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    start: bytes
    """At most 300 bytes of the body."""


def answer_of(
    host: str, port: int, path: str, *, seconds: float, headers: Iterable[tuple[str, str]] = (), tls: bool = False
) -> Answer:
    """What answers a GET. Raises OSError, HTTPException or ValueError where none comes in time."""
    connection = (
        http.client.HTTPSConnection(host, port, timeout=seconds, context=ssl._create_unverified_context())
        if tls
        else http.client.HTTPConnection(host, port, timeout=seconds)
    )
    connection.connect()
    late = Event()
    end = Timer(seconds, _cut, [connection.sock, late])
    end.daemon = True
    end.start()
    try:
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        start = b""
        with suppress(OSError, http.client.HTTPException):
            start = response.read1(_START)
        if late.is_set():
            raise TimeoutError(f"its answer had no end within {seconds:g} s")
        return Answer(response.status, start)
    finally:
        end.cancel()
        connection.close()


def _cut(stream: socket.socket, late: Event) -> None:
    late.set()
    with suppress(OSError):
        # Not SSLSocket.shutdown, which pulls the rug from under the thread that reads.
        socket.socket.shutdown(stream, socket.SHUT_RDWR)
