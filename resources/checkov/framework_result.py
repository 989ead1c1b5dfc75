"""Turn a child's report on one framework into the result that is stored: complete, partial or failed, with its key.

Deliberately absent: running anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infraaudit_domain.checkov_report import FrameworkReport
from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.findings import FrameworkScan, ScanStatus, UnreadableFile
from infraaudit_domain.scan_key import EVERYONE, is_expected_by, may_read, scan_key
from resources.checkov.file_memo import FileMemo
from resources.checkov.limits import ScanLimits
from resources.checkov.tree import Facts


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be scanned of a commit."""

    sha: str
    frameworks: tuple[str, ...]
    keys: Mapping[str, str]
    reads: Mapping[str, Sequence[TreeEntry]]
    files: tuple[TreeEntry, ...]
    left_out: Mapping[str, tuple[UnreadableFile, ...]]
    arguments: list[str]
    memo: FileMemo | None = None
    """Known findings of single files; None where nothing may be reused."""

    @property
    def arguments_key(self) -> tuple[str, ...]:
        return tuple(self.arguments)


@dataclass(slots=True)
class ChildResult:
    """A child's report on one framework; ``error`` where it has no result."""

    report: FrameworkReport
    error: str = ""
    was_killed: bool = False
    """Whether it was ended from outside, which says nothing about the files."""
    seconds: float = 0.0
    opened: tuple[str, ...] = ()
    is_certain: bool = True
    """Whether every file that was left out was left out for its content."""
    culprits: tuple[UnreadableFile, ...] = field(default=())


def framework_result(
    name: str,
    job: Job,
    result: ChildResult,
    broken: Mapping[str, str],
    refused: Mapping[str, str],
    facts: Facts,
    limits: ScanLimits,
) -> FrameworkScan:
    blobs = {entry.path: facts.by_blob.get(entry.blob, EVERYONE) for entry in job.files}
    reads = {entry.path for entry in job.reads[name]}
    gaps = [*job.left_out[name]]
    gaps += [UnreadableFile(path, reason) for path, reason in refused.items() if path in reads]
    gaps += [
        UnreadableFile(path, f"it is no YAML: {reason}")
        for path, reason in broken.items()
        if path in reads
        and path.endswith((".yaml", ".yml"))
        and name != "secrets"
        and is_expected_by(name, path, blobs[path])
    ]
    gaps += [
        file for file in result.report.unreadable if is_expected_by(name, file.path, blobs.get(file.path, EVERYONE))
    ]
    gaps += result.culprits
    unreadable = tuple({file.path: file for file in sorted(gaps, key=lambda file: file.path)}.values())
    status = ScanStatus.FAILED if result.error else ScanStatus.PARTIAL if unreadable else ScanStatus.COMPLETE
    return FrameworkScan(
        framework=name,
        scan_key=job.keys[name] if _is_repeatable(name, result) else _once(name, job),
        status=status,
        findings=result.report.findings,
        unreadable=_bounded(unreadable, limits.gaps),
        seconds=result.seconds,
        reason=result.error or (f"{len(unreadable)} file(s) could not be read" if unreadable else ""),
    )


def _bounded(files: tuple[UnreadableFile, ...], most: int) -> tuple[UnreadableFile, ...]:
    """A hostile commit may have 100,000 unreadable files; nobody reads that many names, and each would be stored."""
    if len(files) <= most:
        return files
    return (*files[:most], UnreadableFile("…", f"and {len(files) - most} more files that could not be read"))


def _is_repeatable(name: str, result: ChildResult) -> bool:
    """Whether an equal key gives an equal result: nothing failed, and the key covers every file that was read."""
    reads_all = name == "serverless"
    is_known = not result.error and not result.culprits and result.is_certain
    return is_known and (reads_all or all(may_read(name, path) for path in result.opened))


def _once(name: str, job: Job) -> str:
    return scan_key(name, (), job.keys[name], job.sha)
