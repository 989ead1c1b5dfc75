"""Keep log lines as JSON lines, each once: a file for every day of an environment, the past days' compressed.

Lines are distinguished by time, pod, container and text, and equal ones are counted, because a program may print
the same twice within a microsecond. Deliberately absent: reading them from a cluster or an engine.
"""

import gzip
import json
import os
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infraaudit_domain.errors import excerpt
from infraaudit_domain.log_lines import level_of, mask_secrets
from resources.machine.locks import locked
from resources.targets.target import LogLine

__all__ = ["LogStore", "mask_secrets"]

OVERLAP = timedelta(seconds=60)
"""Containers are read one after the other; lines printed meanwhile are read again next time, and recognised."""
_LINE_LENGTH = 8000
_PIECE = 1024 * 1024
"""How much of a plain file is read at once from its end; longer than any line."""
_LATE = timedelta(minutes=10)
"""How much later than others a line may have been collected."""
Row = dict[str, Any]


class LogStore:
    """The log files of one project; ``days`` and ``max_bytes`` (of an environment, as they are on disk) limit them."""

    def __init__(self, folder: Path, *, days: int = 30, max_bytes: int = 512 * 1024 * 1024) -> None:
        self.folder, self.days, self.max_bytes = folder, days, max_bytes
        self._counted: dict[Path, tuple[int, Counter[tuple[str, str]]]] = {}
        """How far each plain file was counted, and what was found up to there."""

    def file(self, environment: str) -> Path:
        """The newest day's file."""
        found = self.plain_files(environment)
        return found[-1] if found else self._day(environment, datetime.now(UTC).date().isoformat())

    def plain_files(self, environment: str) -> list[Path]:
        """The files to which lines are still appended, oldest first."""
        return [path for path in self._files(environment) if path.suffix == ".jsonl"]

    def last(self, environment: str) -> datetime | None:
        """The time from which to read again: that of the newest kept line, minus an overlap."""
        files = self._files(environment)
        stamps = [row["time"] for row in _rows(files[-1], _near_the_end(files[-1]))] if files else []
        return datetime.fromisoformat(max(stamps)) - OVERLAP if stamps else None

    def append(self, environment: str, lines: Iterable[LogLine]) -> list[Row]:
        """Keep lines, oldest first, and return those that were not kept before.

        ``lines`` are all that were printed since ``last``; only then are equal lines counted correctly.
        """
        with self._alone(environment):
            rows = [_row(line) for line in sorted(lines, key=lambda line: line.time)]
            known = Counter(
                _key(row)
                for file in (self._day(environment, day) for day in sorted({row["time"][:10] for row in rows}))
                for row in _rows(file, _start_of(file, datetime.fromisoformat(rows[0]["time"])))
            )
            fresh = []
            for row in rows:
                if known[_key(row)]:
                    known[_key(row)] -= 1
                else:
                    fresh.append(row)
            for day in sorted({row["time"][:10] for row in fresh}):
                self._write(self._day(environment, day), [row for row in fresh if row["time"][:10] == day])
        return fresh

    def counts(self, environment: str, counted: Container[str]) -> Iterator[tuple[str, Counter[tuple[str, str]]]]:
        """How many lines a day has by commit and level, of days that are not ``counted`` or that may still grow.

        A line that comes after its day was compressed is kept, and not counted.
        """
        for path in self._files(environment):
            if path.suffix == ".jsonl":
                yield path.name[:10], self._count_on(path)
            elif path.name[:10] not in counted:
                yield path.name[:10], Counter(_counted_by(row) for row in _rows(path))

    def _count_on(self, path: Path) -> Counter[tuple[str, str]]:
        """Count what a plain file has gained; a collector that lives on reads each line once."""
        start, counter = self._counted.get(path, (0, Counter()))
        end = _end_of_lines(path)
        if end < start:
            start, counter = 0, Counter()
        counter = counter + Counter(_counted_by(row) for row in _rows(path, start, end))
        self._counted[path] = end, counter
        return counter

    def read(
        self,
        environment: str,
        *,
        since: datetime | None = None,
        level: str | None = None,
        sha: str = "",
        matching: Callable[[str], object] = lambda _: True,
    ) -> Iterator[Row]:
        """The kept lines, oldest first; ``sha`` may be the beginning of a commit's."""
        start = since.astimezone(UTC).isoformat(timespec="microseconds") if since else ""
        for path in self._files(environment):
            if path.name[:10] < start[:10]:
                continue
            for row in sorted(_rows(path), key=lambda row: row["time"]):
                fits = row["time"] >= start and (level is None or row["level"] == level)
                if fits and row["commit"].startswith(sha) and matching(row["text"]):
                    yield row

    def tidy(self, environment: str, *, today: datetime) -> int:
        """Compress past days, and delete days that are too old or, oldest first, too much. Returns the number of
        deleted ones."""
        with self._alone(environment):
            for path in self._files(environment):
                # A day is left open for another one: late lines are appended to plain files only.
                if path.suffix == ".jsonl" and path.name[:10] < (today - timedelta(days=1)).date().isoformat():
                    _compress(path)
            oldest = (today - timedelta(days=self.days)).date().isoformat()
            files = self._files(environment)
            sizes, gone = sum(path.stat().st_size for path in files), 0
            for path in files[:-1]:
                if path.name[:10] < oldest or sizes > self.max_bytes:
                    sizes -= path.stat().st_size
                    path.unlink()
                    gone += 1
            return gone

    def _day(self, environment: str, day: str) -> Path:
        compressed = self.folder / environment / f"{day}.jsonl.gz"
        return compressed if compressed.exists() else self.folder / environment / f"{day}.jsonl"

    def _files(self, environment: str) -> list[Path]:
        folder = self.folder / environment
        return sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")]) if folder.is_dir() else []

    def _write(self, path: Path, rows: list[Row]) -> None:
        data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        # A gzip file may have several members, so a late line is appended to a compressed day as well.
        with open(path, "ab", opener=_private) as stream:
            if path.suffix == ".gz":
                data = gzip.compress(data)
            elif stream.tell() and not _ends_with_newline(path):
                data = b"\n" + data  # A line that a killed writer left incomplete.
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())

    def _alone(self, environment: str) -> AbstractContextManager[object]:
        return locked(self.folder / environment / ".lock")


def _row(line: LogLine) -> Row:
    text = mask_secrets(excerpt(line.text, _LINE_LENGTH))
    return {
        "time": line.time.astimezone(UTC).isoformat(timespec="microseconds"),
        "commit": line.sha,
        "pod": line.pod,
        "container": line.container,
        "level": level_of(text),
        "text": text,
    }


def _key(row: Row) -> tuple[Any, ...]:
    return row["time"], row["pod"], row["container"], row["text"]


def _counted_by(row: Row) -> tuple[str, str]:
    return row["commit"], row["level"]


def _near_the_end(path: Path) -> int:
    """Where the last lines of a plain file begin; what was appended last is the newest, within the overlap."""
    return max(0, path.stat().st_size - _PIECE) if path.suffix == ".jsonl" else 0


def _start_of(path: Path, moment: datetime) -> int:
    """From where on lines of a moment or later may be in a plain file: they were appended as they were collected."""
    if path.suffix != ".jsonl" or not path.exists():
        return 0
    before = (moment - _LATE).astimezone(UTC).isoformat(timespec="microseconds")
    place = path.stat().st_size
    while place > 0:
        place = max(0, place - _PIECE)
        first = next(_rows(path, place), None)
        if first is not None and first["time"] < before:
            break
    return place


def _end_of_lines(path: Path) -> int:
    """The size of a plain file up to the end of its last complete line."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        place = max(0, size - _PIECE)
        stream.seek(place)
        return place + stream.read(size - place).rfind(b"\n") + 1


def _rows(path: Path, start: int = 0, end: int | None = None) -> Iterator[Row]:
    """The rows of a file; of a plain one from the first line on that begins at ``start`` or later, and before ``end``."""
    if not path.exists():
        return
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        if start:
            stream.seek(start - 1)
            start += len(stream.readline()) - 1
        for line in stream:
            start += len(line)
            if end is not None and start > end:
                return
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and "time" in row:
                yield row


def _compress(path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    with open(temporary, "wb", opener=_private) as stream:
        stream.write(gzip.compress(path.read_bytes()))
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path.with_suffix(".jsonl.gz"))
    path.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
