"""Scan the frameworks of a commit whose results are not known: all in one child, and apart when that goes wrong."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infraaudit_assets.domain.checkov_report import FrameworkReport, read_reports, with_ordinals
from infraaudit_assets.domain.commits import TreeEntry
from infraaudit_assets.domain.errors import ScanError, excerpt
from infraaudit_assets.domain.findings import Finding, FrameworkScan, ScanStatus, UnreadableFile
from infraaudit_assets.domain.scan_key import EVERYONE, is_expected_by, may_read, scan_key
from resources.checkov_runner.fallback import Search
from resources.checkov_runner.file_memo import FRAMEWORK, FileMemo
from resources.checkov_runner.limits import ScanLimits
from resources.checkov_runner.parent import Answer, Parent
from resources.checkov_runner.tree import Facts, link_files
from resources.git import Mirror

_INSPECTED = (".yaml", ".yml", ".json", ".template")


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be scanned of a commit."""

    sha: str
    frameworks: tuple[str, ...]
    keys: Mapping[str, str]
    reads: Mapping[str, Sequence[TreeEntry]]
    files: tuple[TreeEntry, ...]
    left_out: tuple[UnreadableFile, ...]
    arguments: list[str]
    memo: FileMemo | None = None
    """What is known of single files; None where nothing may be reused."""

    @property
    def arguments_key(self) -> tuple[str, ...]:
        return tuple(self.arguments)


@dataclass(slots=True)
class _Told:
    """What a child told of one framework; ``error`` where it gave no result."""

    report: FrameworkReport
    error: str = ""
    seconds: float = 0.0
    opened: tuple[str, ...] = ()
    culprits: tuple[UnreadableFile, ...] = field(default=())


def scan_frameworks(
    job: Job, mirror: Mirror, work: Path, parent: Parent, facts: Facts, limits: ScanLimits, secret_key: bytes
) -> dict[str, FrameworkScan]:
    """The result of every framework of the job, by name; those with nothing to read need no Checkov."""
    scanner = _Scanner(job, work, parent, limits, secret_key)
    asked = [name for name in job.frameworks if scanner.wanted(name)]
    broken: dict[str, str] = {}
    told: dict[str, _Told] = {}
    if asked:
        wanted = {entry.path: entry for name in asked for entry in scanner.wanted(name)}
        mirror.export(wanted.values(), work / "tree")
        broken = scanner.inspect(sorted(wanted))
        told = scanner.scan(asked)
        if job.memo is not None and FRAMEWORK in asked:
            scanner.remember(job.memo, told[FRAMEWORK])
    return {
        name: _result(name, job, told.get(name) or scanner.untold(name), broken, scanner.refused, facts, limits)
        for name in job.frameworks
    }


class _Scanner:
    def __init__(self, job: Job, work: Path, parent: Parent, limits: ScanLimits, secret_key: bytes) -> None:
        self._job, self._work, self._parent = job, work, parent
        self._limits, self._secret_key = limits, secret_key
        self._tree = work / "tree"
        # A hostile commit may make every attempt run into its limit; all attempts together have one of their own.
        self._deadline = time.monotonic() + 2 * limits.seconds
        self.refused: dict[str, str] = {}
        """Files taken out of the tree before the scan, with the reason."""

        self._only = job.memo.missing(job.arguments_key, job.reads.get(FRAMEWORK, ())) if job.memo else None

    def wanted(self, framework: str) -> Sequence[TreeEntry]:
        """The files that a framework has to be run for."""
        return self._job.reads[framework] if framework != FRAMEWORK or self._only is None else self._only

    def untold(self, framework: str) -> _Told:
        """The result of a framework that needs no run: nothing to read, or all of it known."""
        known: Sequence[Finding] = ()
        if framework == FRAMEWORK and self._job.memo is not None:
            known = self._job.memo.recall(self._job.arguments_key, self._job.reads[framework])
        return _Told(FrameworkReport(framework, with_ordinals(known)))

    def remember(self, memo: FileMemo, told: _Told) -> None:
        """Add what is known of the files that did not have to be read, and keep what was found in the others."""
        if told.error or told.culprits or self._only is None:
            return
        read = [entry for entry in self._only if entry.path not in self.refused]
        fresh = {entry.path for entry in self._only}
        rest = [entry for entry in self._job.reads[FRAMEWORK] if entry.path not in fresh]
        known = memo.recall(self._job.arguments_key, rest)
        memo.learn(self._job.arguments_key, read, told.report.findings)
        told.report = FrameworkReport(FRAMEWORK, with_ordinals([*known, *told.report.findings]))

    def inspect(self, paths: Sequence[str]) -> dict[str, str]:
        """Take out what would be dangerous to parse; returns what is no YAML at all."""
        files = [path for path in paths if path.endswith(_INSPECTED)]
        if not files:
            return {}
        answer = self._parent.ask("inspect", self._tree, self._work, files=files)
        if answer.outcome != "done":
            verdicts = {path: {"reason": f"it cannot be looked at: {answer.reason}"} for path in files}
        else:
            verdicts = answer.document
        self.refused = {path: verdict["reason"] for path, verdict in verdicts.items() if "reason" in verdict}
        for path in self.refused:
            (self._tree / path).unlink()
        return {path: verdict["broken"] for path, verdict in verdicts.items() if "broken" in verdict}

    def scan(self, frameworks: Sequence[str]) -> dict[str, _Told]:
        """Every framework's result: all in one process, one by one where that failed, without the bad files last."""
        told = self._ask(frameworks, self._tree, None)
        if len(frameworks) > 1 and all(result.error for result in told.values()):
            told = {name: self._ask([name], self._tree, None)[name] for name in frameworks}
        return {name: self._without_culprits(name, result) if result.error else result for name, result in told.items()}

    def _without_culprits(self, framework: str, failed: _Told) -> _Told:
        paths = [entry.path for entry in self.wanted(framework) if entry.path not in self.refused]
        search = Search(
            self._tree, self._work, lambda tree, s: self._ask([framework], tree, s)[framework].error, self._limits
        )
        culprits = search.culprits(paths)
        if not culprits or len(culprits) == len(paths):
            return failed
        rest = self._work / f"rest-{framework}"
        rest.mkdir()
        bad = dict(culprits)
        link_files(self._tree, (path for path in paths if path not in bad), rest)
        result = self._ask([framework], rest, None)[framework]
        result.culprits = tuple(UnreadableFile(path, f"it breaks {framework}: {why}") for path, why in culprits)
        return result

    def _ask(self, frameworks: Sequence[str], tree: Path, seconds: float | None) -> dict[str, _Told]:
        started = time.monotonic()
        only = {FRAMEWORK: [entry.path for entry in self._only]} if self._only is not None else {}
        words: dict[str, Any] = {"frameworks": list(frameworks), "arguments": self._job.arguments, "only": only}
        wall = min(seconds or self._limits.seconds, self._deadline - started)
        answer = self._parent.ask("scan", tree, self._work, wall, **words) if wall > 0 else Answer("time")
        if answer.outcome != "done":
            spent = (time.monotonic() - started) / len(frameworks)
            return {name: _Told(FrameworkReport(name, ()), error=answer.reason, seconds=spent) for name in frameworks}
        try:
            reports = {r.framework: r for r in read_reports(answer.document["report"], str(tree), self._secret_key)}
        except ScanError as error:
            return {name: _Told(FrameworkReport(name, ()), error=str(error)) for name in frameworks}
        return {
            name: _Told(
                reports.get(name) or FrameworkReport(name, ()),
                error=_error(details, name in reports),
                seconds=details["seconds"],
                opened=tuple(details["opened"]),
            )
            for name, details in answer.document["frameworks"].items()
        }


def _error(details: Mapping[str, Any], has_report: bool) -> str:
    if details["error"]:
        return excerpt(f"Checkov crashed: {details['error']}", 600)
    return "" if has_report else "Checkov gave no report and no reason"


def _result(
    name: str,
    job: Job,
    told: _Told,
    broken: Mapping[str, str],
    refused: Mapping[str, str],
    facts: Facts,
    limits: ScanLimits,
) -> FrameworkScan:
    blobs = {entry.path: facts.by_blob.get(entry.blob, EVERYONE) for entry in job.files}
    reads = {entry.path for entry in job.reads[name]}
    gaps = [file for file in job.left_out if may_read(name, file.path)]
    gaps += [UnreadableFile(path, reason) for path, reason in refused.items() if path in reads]
    gaps += [
        UnreadableFile(path, f"it is no YAML: {reason}")
        for path, reason in broken.items()
        if path in reads
        and path.endswith((".yaml", ".yml"))
        and name != "secrets"
        and is_expected_by(name, path, blobs[path])
    ]
    gaps += [file for file in told.report.unreadable if is_expected_by(name, file.path, blobs.get(file.path, EVERYONE))]
    gaps += told.culprits
    unreadable = tuple({file.path: file for file in sorted(gaps, key=lambda file: file.path)}.values())
    status = ScanStatus.FAILED if told.error else ScanStatus.PARTIAL if unreadable else ScanStatus.COMPLETE
    return FrameworkScan(
        framework=name,
        scan_key=job.keys[name] if _is_repeatable(name, told) else _once(name, job),
        status=status,
        findings=told.report.findings,
        unreadable=_bounded(unreadable, limits.gaps),
        seconds=told.seconds,
        reason=told.error or (f"{len(unreadable)} file(s) could not be read" if unreadable else ""),
    )


def _bounded(files: tuple[UnreadableFile, ...], most: int) -> tuple[UnreadableFile, ...]:
    """A hostile commit has 100,000 files that cannot be read; nobody reads their names, and each is stored."""
    if len(files) <= most:
        return files
    return (*files[:most], UnreadableFile("…", f"and {len(files) - most} more files that could not be read"))


def _is_repeatable(name: str, told: _Told) -> bool:
    """Whether an equal key gives an equal result: nothing failed, and nothing was read that the key leaves out."""
    reads_all = name == "serverless"
    return not told.error and not told.culprits and (reads_all or all(may_read(name, path) for path in told.opened))


def _once(name: str, job: Job) -> str:
    return scan_key(name, (), job.keys[name], job.sha)
