"""Scan many commits into the history: each worker holds a warm scanner, each scan is stored as soon as it ends.

Deliberately absent: which commits (the caller says), progress, and anything but scanning.
"""

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from infraaudit_assets.domain.errors import InfraAuditError
from infraaudit_assets.domain.findings import ScanStatus, Severity
from infraaudit_assets.domain.projects import Project
from resources.git import Mirror
from resources.history import History, schema
from resources.history.database import translated


@dataclass(frozen=True, slots=True)
class Done:
    """How the scan of one commit ended: complete, partial or failed."""

    sha: str
    status: str
    open: int = 0
    seconds: float = 0.0
    reason: str = ""


def unscanned(history: History, project: str, shas: Sequence[str]) -> list[str]:
    """Those of some commits that have no scan, or one that failed; in the same order."""
    table = schema.scans
    usable = (table.c.project == project) & (table.c.status != ScanStatus.FAILED.value)
    with translated(history.engine), history.engine.connect().execution_options(read_only=True) as connection:
        scanned = set(connection.execute(sa.select(table.c.sha).where(usable)).scalars())
    return [sha for sha in shas if sha not in scanned]


def backfill(
    history: History,
    mirror: Mirror,
    project: Project,
    shas: Sequence[str],
    *,
    scratch: Path,
    severities: Mapping[str, Severity],
    workers: int = 1,
) -> Iterator[Done]:
    """Scan commits and yield how each ended, in the order in which they end.

    A commit that cannot be scanned at all is yielded as failed and the others go on. Leaving the loop early (or an
    interrupt) stops after the scans that are under way; what was yielded is stored.
    """
    todo: queue.SimpleQueue[str] = queue.SimpleQueue()
    for sha in shas:
        todo.put(sha)
    ended: queue.SimpleQueue[Done | BaseException | None] = queue.SimpleQueue()
    stop = threading.Event()

    def work() -> None:
        try:
            _work(history, mirror, project, scratch, severities, todo, ended, stop)
        except BaseException as error:
            ended.put(error)
        ended.put(None)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(workers, len(shas)))]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            one = ended.get()
            if isinstance(one, BaseException):
                raise one
            if one is None:
                running -= 1
            else:
                yield one
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _work(
    history: History,
    mirror: Mirror,
    project: Project,
    scratch: Path,
    severities: Mapping[str, Severity],
    todo: "queue.SimpleQueue[str]",
    ended: "queue.SimpleQueue[Done | BaseException | None]",
    stop: threading.Event,
) -> None:
    from resources.checkov_runner import CheckovRunner

    with CheckovRunner(scratch, severities, reuse=history.framework_scan) as runner:
        while not stop.is_set():
            try:
                sha = todo.get_nowait()
            except queue.Empty:
                return
            ended.put(_scan(history, mirror, project, runner.scan, sha))


def _scan(history: History, mirror: Mirror, project: Project, scan, sha: str) -> Done:  # type: ignore[no-untyped-def]
    try:
        history.record_commit(project.name, mirror.commit(sha))
        result = scan(mirror, sha, project.paths.checkov_config)
        history.record_scan(project.name, result)
    except InfraAuditError as error:
        return Done(sha, ScanStatus.FAILED.value, reason=str(error))
    reason = next((part.reason for part in result.frameworks if part.reason), "")
    count = sum(finding.status == "open" for finding in result.findings)
    return Done(sha, result.status.value, count, result.seconds, reason)
