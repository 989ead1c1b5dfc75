"""Read what containers print, with the kubelet's timestamps, in chunks of bounded size and without a gap.

The API takes the start as whole seconds before its own time, so more lines are requested than needed, and filtered
here. Lines that the kubelet has rotated away before anyone read them are gone. Deliberately absent: keeping lines
(resources/logs/store.py).
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from resources.targets.cluster.connection import REQUEST_SECONDS

PIECE_BYTES = 4 * 1024 * 1024
PIECES = 8
LINES = 100_000
_CLOCK_SECONDS = 60
"""How much the node's clock may differ from ours."""


def container_lines(
    core: Any, namespace: str, pod: str, container: str, previous: bool, since: datetime | None
) -> Iterator[tuple[datetime, str]]:
    """The (time, text) of a container's lines after ``since``, or of its instance before the last restart.

    Of one that prints faster than that, the first LINES; a last line says so.
    """
    left, pieces = LINES, 0
    while True:
        pieces += 1
        text = raw_log(
            core,
            namespace,
            pod,
            container,
            previous,
            timestamps=True,
            limit_bytes=PIECE_BYTES,
            **_back_to(since),
        )
        lines = [parsed for line in text.split("\n") if (parsed := _parsed(line))]
        cut = len(text.encode()) >= PIECE_BYTES - 4
        if cut and len({moment for moment, _ in lines}) > 1:
            # The last line may be incomplete; its time is read again with the next chunk.
            lines = [line for line in lines if line[0] < lines[-1][0]]
        fresh = [line for line in lines if since is None or line[0] > since]
        yield from fresh[:left]
        left -= len(fresh)
        if left <= 0 or (cut and pieces >= PIECES):
            yield (
                (fresh or lines)[-1][0],
                f"(more than {LINES} lines or {PIECES * PIECE_BYTES >> 20} MB at once: left out)",
            )
            return
        if not cut or not fresh:
            return
        since = fresh[-1][0]


def raw_log(core: Any, namespace: str, pod: str, container: str, previous: bool, **options: Any) -> str:
    """The text of a container's log; empty where it has none (any more)."""
    from kubernetes.client.exceptions import ApiException

    try:
        response = core.read_namespaced_pod_log(
            pod,
            namespace,
            container=container,
            previous=previous,
            _preload_content=False,
            _request_timeout=REQUEST_SECONDS,
            **options,
        )
    except ApiException as error:
        if error.status in (400, 404):  # The container has not started, or its last instance is gone.
            return ""
        raise
    return str(response.data.decode("utf-8", "replace"))


def _back_to(since: datetime | None) -> dict[str, int]:
    if since is None:
        return {}
    return {"since_seconds": max(1, math.ceil((datetime.now(UTC) - since).total_seconds()) + _CLOCK_SECONDS)}


def _parsed(line: str) -> tuple[datetime, str] | None:
    stamp, _, message = line.partition(" ")
    try:
        fraction = stamp[20:].rstrip("Z")[:6].ljust(6, "0")
        return datetime.fromisoformat(f"{stamp[:19]}.{fraction}").replace(tzinfo=UTC), message
    except ValueError:
        return None
