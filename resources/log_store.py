"""Keep log lines as JSON lines, each line once.

Deliberately absent: reading them from a cluster or an engine.
"""

import fcntl
import json
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from infraaudit_assets.domain.errors import excerpt
from resources.targets import LogLine

_LINE_LENGTH = 8000
_LEVEL = re.compile(r"\b(debug|info|warn(?:ing)?|error|critical|fatal)\b", re.IGNORECASE)
_SECRET = re.compile(
    r"(?i)((?:password|passwd|secret|token|api[_-]?key|authorization)[\"']?\s*[:=]\s*[\"']?(?:bearer\s+)?)[^\s\"',;]+"
    r"|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}\b|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"
)


class LogStore:
    """The log files of one project: a file for each environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, environment: str) -> Path:
        return self.folder / f"{environment}.jsonl"

    def last(self, environment: str) -> datetime | None:
        """The time of the newest line that is kept."""
        stamps = [line["time"] for line in self._tail(environment)]
        return datetime.fromisoformat(max(stamps)) if stamps else None

    def append(self, environment: str, lines: Iterable[LogLine]) -> list[dict[str, Any]]:
        """Keep lines, oldest first, and return those that were not kept before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.file(environment).open("a", encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            known = {_key(line) for line in self._tail(environment)}
            rows = [row for line in sorted(lines, key=lambda line: line.time) if _key(row := _row(line)) not in known]
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        return rows

    def _tail(self, environment: str) -> list[dict[str, Any]]:
        path = self.file(environment)
        if not path.exists():
            return []
        with path.open("rb") as stream:
            stream.seek(max(path.stat().st_size - 4 * 1024 * 1024, 0))
            return [row for line in stream.read().splitlines() if (row := _parsed(line)) is not None]


def mask_secrets(text: str) -> str:
    """Replace what looks like a secret by ``***``."""
    return _SECRET.sub(lambda match: f"{match.group(1) or ''}***", text)


def _row(line: LogLine) -> dict[str, Any]:
    text = mask_secrets(excerpt(line.text, _LINE_LENGTH))
    return {
        "time": line.time.isoformat(timespec="microseconds"),
        "commit": line.sha,
        "pod": line.pod,
        "container": line.container,
        "level": _level(text),
        "text": text,
    }


def _level(text: str) -> str:
    try:
        parsed = json.loads(text)
        word = str(parsed.get("level") or parsed.get("severity") or "") if isinstance(parsed, dict) else text
    except ValueError:
        word = text
    found = _LEVEL.search(word)
    name = found.group(1).lower() if found else "info"
    return {"warn": "warning", "fatal": "error", "critical": "error"}.get(name, name)


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["time"], row["pod"], row["container"], row["text"]


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and "time" in row else None
