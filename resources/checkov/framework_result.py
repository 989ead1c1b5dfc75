"""Turn a child's report on one framework into the result that is stored: complete, partial or failed, with its key.

Deliberately absent: running anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.scans.appearance import Part
from infraaudit_domain.scans.checkov_report import FrameworkReport, Proven
from infraaudit_domain.scans.findings import FrameworkScan, ScanStatus, UnreadableFile
from infraaudit_domain.scans.hidings import Hider, with_hiding
from infraaudit_domain.scans.scan_key import may_read, scan_key
from resources.checkov.file_memo import FileMemo
from resources.checkov.limits import ScanLimits
from resources.checkov.reading.gaps import (
    bounded,
    called_with_unread_values,
    connected,
    evidence,
    summary,
    unread_files,
)
from resources.checkov.rendering.results import Renderings
from resources.checkov.tree import unopened


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be scanned of a commit."""

    sha: str
    frameworks: tuple[str, ...]
    keys: Mapping[str, str]
    reads: Mapping[str, Sequence[TreeEntry]]
    expected: Mapping[str, Mapping[str, tuple[Part, ...]]]
    """By framework and path: what our own look at the text says that it has to read."""
    charts: frozenset[str]
    """Folders of Helm charts."""
    left_out: Mapping[str, tuple[UnreadableFile, ...]]
    unopened: Mapping[str, Mapping[str, str]]
    """By framework: files for it that Checkov opens under no configuration, with the reason."""
    arguments: list[str]
    hider: Hider
    """What of it the commit's configuration hides; all of it is scanned."""
    renderings: Renderings = field(default_factory=Renderings)
    """What its kustomizations and charts make."""
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
    """Whether files were left out for what is in them only, and not for a limit of time."""
    culprits: tuple[UnreadableFile, ...] = field(default=())
    proven: Proven = field(default_factory=Proven)
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why files were not read, by path, where the scanner's parser says so."""


def framework_result(
    name: str,
    job: Job,
    result: ChildResult,
    broken: Mapping[str, str],
    refused: Mapping[str, str],
    tree: Path,
    limits: ScanLimits,
) -> FrameworkScan:
    made = job.renderings if name == "kubernetes" and not result.error else Renderings()
    plain = _plain_gaps(name, job, result, broken, refused, tree)
    unread = [*made.gaps(plain.values(), job.expected[name], job.charts), *unopened(name, job.unopened[name])]
    unread += result.proven.crashed
    unreadable = _marked(name, job, unread)
    read = job.expected[name].keys() - plain.keys()
    counted = [gap for gap in unreadable if not gap.hidden_by]
    reached = connected(tree, job.expected[name], plain.keys()) if name == "terraform" and plain else None
    status = ScanStatus.FAILED if result.error else ScanStatus.PARTIAL if counted else ScanStatus.COMPLETE
    proof = evidence(name, job.expected[name], result.proven, [*plain.values()], job.charts, reached)
    proof = replace(proof, expected=proof.expected + len(job.unopened[name]))
    return FrameworkScan(
        framework=name,
        scan_key=job.keys[name] if _is_repeatable(name, result) and made.is_certain else _once(name, job),
        status=status,
        findings=made.findings(result.report.findings, read),
        unreadable=bounded(unreadable, limits.gaps),
        seconds=result.seconds,
        reason=result.error or summary(name, counted, job.charts),
        evidence=made.evidence(proof, read, plain.keys()),
    )


def _plain_gaps(
    name: str, job: Job, result: ChildResult, broken: Mapping[str, str], refused: Mapping[str, str], tree: Path
) -> dict[str, UnreadableFile]:
    """Of the files as they are: one for each, by its first reason."""
    reads = {entry.path for entry in job.reads[name]}
    gaps = [*job.left_out[name], *result.culprits]
    gaps += [UnreadableFile(path, reason) for path, reason in refused.items() if path in reads]
    gaps += [UnreadableFile(path, f"it breaks {name}: {error}") for path, error in result.proven.broke.items()]
    if not result.error:
        named = {gap.path for gap in gaps}
        expected = {path: parts for path, parts in job.expected[name].items() if path not in named}
        reasons = {path: f"it is no YAML: {reason}" for path, reason in broken.items()} | dict(result.reasons)
        gaps += unread_files(name, expected, result.proven, reasons, job.charts)
        gaps += [file for file in result.report.unreadable if file.path.endswith((".tfvars", ".tfvars.json"))]
    unread = {gap.path: gap for gap in reversed(gaps)}
    if name == "terraform" and unread:
        called = called_with_unread_values(tree, job.expected[name], unread.keys())
        unread = {gap.path: gap for gap in called} | unread
    return unread


def _marked(name: str, job: Job, gaps: Iterable[UnreadableFile]) -> list[UnreadableFile]:
    """By path; those that the commit's configuration hides last."""
    marked = (with_hiding(gap, name, job.hider) for gap in gaps)
    return sorted(marked, key=lambda gap: (bool(gap.hidden_by), gap.path))


def _is_repeatable(name: str, result: ChildResult) -> bool:
    """Whether an equal key gives an equal result: nothing failed, and the key covers every file that was read."""
    reads_all = name == "serverless"
    is_known = not result.error and result.is_certain
    return is_known and (reads_all or all(may_read(name, path) for path in result.opened))


def _once(name: str, job: Job) -> str:
    return scan_key(name, (), job.keys[name], job.sha)
