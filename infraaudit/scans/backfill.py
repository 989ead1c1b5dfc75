"""Scan many commits into the history: each worker holds a warm scanner, each scan is stored as soon as it ends.

Deliberately absent: which commits (the caller decides), progress, and anything but scanning.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from infraaudit.scans.cross_scanning import Runner
from infraaudit.scans.scan_commit import store_scan
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.evidence import RULES
from infraaudit_domain.scans.findings import ScanStatus
from resources.checkov import CheckovRunner
from resources.git.mirror import Mirror
from resources.history import History, schema


@dataclass(frozen=True, slots=True)
class Done:
    """How the scan of one commit ended."""

    sha: str
    status: ScanStatus
    open: int = 0
    seconds: float = 0.0
    reason: str = ""


def unscanned(history: History, project: str, shas: Sequence[str]) -> list[str]:
    """Those of some commits that have no scan, one in which a framework failed, or one under earlier rules of ours; in
    the same order."""
    scans, parts, results = schema.scans, schema.scan_parts, schema.framework_scans
    failed = (
        sa.select(parts.c.sha)
        .join(results, results.c.scan_key == parts.c.scan_key)
        .where(parts.c.project == project, results.c.status == ScanStatus.FAILED.value)
    )
    usable = (scans.c.project == project) & (scans.c.status != ScanStatus.FAILED.value) & scans.c.sha.not_in(failed)
    usable &= scans.c.rules == RULES
    with history.reading() as connection:
        scanned = set(connection.execute(sa.select(scans.c.sha).where(usable)).scalars())
    return [sha for sha in shas if sha not in scanned]


class Backfill(AbstractContextManager["Backfill"]):
    """Scans of commits as an iterator of how each ended, in the order in which they end.

    A commit that cannot be scanned counts as failed, and the others continue. What was yielded is stored, and
    what was stored is yielded, also after ``stop``.
    """

    def __init__(
        self,
        history: History,
        mirror: Mirror,
        project: Project,
        shas: Sequence[str],
        *,
        runner: Runner,
        workers: int = 1,
    ) -> None:
        self._history, self._mirror, self._project = history, mirror, project
        self._runner = runner
        self._todo: queue.SimpleQueue[Sequence[str]] = queue.SimpleQueue()
        for block in _blocks(shas, workers):
            self._todo.put(block)
        self._ended: queue.SimpleQueue[Done | BaseException | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(min(workers, len(shas)))]
        self._running = len(self._threads)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def __iter__(self) -> Iterator[Done]:
        while self._running:
            one = self._ended.get()
            if isinstance(one, BaseException):
                raise one
            if one is None:
                self._running -= 1
            else:
                yield one

    def stop(self) -> None:
        """Start no more scans; those under way are still yielded."""
        self._stop.set()

    def _work(self) -> None:
        try:
            self._scan_some()
        except BaseException as error:
            self._ended.put(error)
        self._ended.put(None)

    def _scan_some(self) -> None:
        with self._runner() as scanner:
            while not self._stop.is_set() and not self._todo.empty():
                with suppress(queue.Empty):
                    self._scan_block(scanner, self._todo.get_nowait())

    def _scan_block(self, scanner: CheckovRunner, shas: Sequence[str]) -> None:
        for sha in shas:
            if self._stop.is_set():
                return
            self._ended.put(self._scan(scanner, sha))

    def _scan(self, scanner: CheckovRunner, sha: str) -> Done:
        try:
            result = store_scan(self._history, self._mirror, self._project, sha, scanner)
        except InfraAuditError as error:
            return Done(sha, ScanStatus.FAILED, reason=str(error))
        reason = next((part.reason for part in result.frameworks if part.reason), "")
        count = sum(finding.is_open for finding in result.findings)
        return Done(sha, result.status, count, result.seconds, reason)


def _blocks(shas: Sequence[str], workers: int) -> list[Sequence[str]]:
    """Neighbours stay together: a commit reuses what its predecessor found, which another worker might not have
    stored yet."""
    length = max(1, min(50, len(shas) // (workers * 4)))
    return [shas[start : start + length] for start in range(0, len(shas), length)]
