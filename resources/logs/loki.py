"""Send kept log lines to Loki: at least once, in order, from where the last transfer ended.

Labels are few (project, environment, container, level), because each combination is a stream of its own; commit and pod
are sent as structured metadata (Loki 3, or 2.9 with allow_structured_metadata). Loki recognises by time and text what
is sent twice after a crash. Deliberately absent: collecting lines (infraaudit/deploying/logs.py).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infraaudit_domain.errors import ConfigurationError, MonitoringError, excerpt
from resources.logs.store import LogStore, Row
from resources.machine.atomic_file import write_atomically
from resources.machine.locks import locked_within

BATCH_LINES = 1000
TRIES = 4
_SECONDS = 15
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Offsets = dict[str, int]


class _BusyError(MonitoringError):
    """Loki does not answer, or asks for a pause."""


@dataclass(frozen=True, slots=True)
class Loki:
    """A Loki by its URL, which may hold a user and a password; ``tenant`` where it serves several."""

    url: str
    tenant: str = ""
    pause: float = 0.5
    """Seconds before the second attempt; doubled before each further one."""

    def push(self, project: str, environment: str, rows: Sequence[Row]) -> str:
        """Send lines; returns why Loki refused some of them, or an empty text.

        Raises MonitoringError where it does not answer, and ConfigurationError where it rejects our credentials.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

        patience = Retrying(
            retry=retry_if_exception_type(_BusyError),
            stop=stop_after_attempt(TRIES),
            wait=wait_exponential(multiplier=self.pause, max=10),
            reraise=True,
        )
        return patience(self._push_once, push_body(project, environment, rows))

    def _push_once(self, body: Mapping[str, Any]) -> str:
        import httpx

        headers = {"X-Scope-OrgID": self.tenant} if self.tenant else {}
        try:
            answer = httpx.post(
                f"{self.url.rstrip('/')}/loki/api/v1/push", json=body, headers=headers, timeout=_SECONDS
            )
        except httpx.HTTPError as error:
            raise _BusyError(f"Loki does not answer: {excerpt(str(error), 200)}.") from error
        words = excerpt(answer.text, 300)
        if answer.status_code == 429 or answer.status_code >= 500:
            raise _BusyError(f"Loki answers {answer.status_code}: {words}")
        if answer.status_code == 400:  # Lines that are too old, for example; it has taken the others.
            return words
        if not answer.is_success:
            raise ConfigurationError(
                f"Loki answers {answer.status_code}: {words} Correct INFRAAUDIT_LOKI_URL and INFRAAUDIT_LOKI_TENANT."
            )
        return ""


def push_body(project: str, environment: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The body of a push: a stream for each combination of labels, each with its lines in the order of time."""
    streams: dict[tuple[str, str], list[list[Any]]] = {}
    for row in sorted(rows, key=lambda row: row["time"]):
        moment = (datetime.fromisoformat(row["time"]) - _EPOCH) // timedelta(microseconds=1) * 1000
        value = [str(moment), row["text"], {"commit": row["commit"], "pod": row["pod"]}]
        streams.setdefault((row["container"], row["level"]), []).append(value)
    labels = {"project": project, "environment": environment}
    return {
        "streams": [
            {"stream": labels | {"container": container, "level": level}, "values": values}
            for (container, level), values in streams.items()
        ]
    }


def ship(store: LogStore, project: str, environment: str, loki: Loki) -> tuple[int, str]:
    """Send the lines kept since the last time; returns their number, and why Loki last refused some.

    Raises MonitoringError or ConfigurationError; unsent lines are sent the next time.
    """
    marker = store.folder / environment / ".shipped.json"
    sent, refused = 0, ""
    with locked_within(marker.with_suffix(".lock"), 0) as ours:
        offsets: _Offsets = json.loads(marker.read_text()) if ours and marker.exists() else {}
        files = store.plain_files(environment) if ours else []
        offsets = {path.name: offsets.get(path.name, 0) for path in files}
        for path in files:
            for rows, end in _batches(path, offsets[path.name]):
                refused = loki.push(project, environment, rows) or refused
                offsets[path.name] = end
                write_atomically(marker, json.dumps(offsets).encode())
                sent += len(rows)
    return sent, refused


def _batches(path: Path, start: int) -> Iterator[tuple[list[Row], int]]:
    """The complete lines from an offset on, in batches, each with the offset where it ends."""
    with path.open("rb") as stream:
        stream.seek(start)
        rows: list[Row] = []
        end = start
        for line in stream:
            if not line.endswith(b"\n"):
                break
            end += len(line)
            try:
                rows.append(json.loads(line))
            except ValueError:  # A line that a killed writer left incomplete.
                continue
            if len(rows) == BATCH_LINES:
                yield rows, end
                rows = []
        if rows:
            yield rows, end
