"""Scan the frameworks of a commit whose results are unknown: all in one child, or one by one where that fails."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.errors import ScanError, excerpt
from infraaudit_domain.scans.checkov_report import FrameworkReport, Proven, read_proof, read_reports, with_ordinals
from infraaudit_domain.scans.findings import FrameworkScan, UnreadableFile
from resources.checkov.fallback import KilledError, Search
from resources.checkov.file_memo import FRAMEWORK, FileMemo, Known
from resources.checkov.framework_result import ChildResult, Job, framework_result
from resources.checkov.limits import ScanLimits
from resources.checkov.parent import Answer, Parent
from resources.checkov.tree import link_files
from resources.git.mirror import Mirror

_AT_FAULT = 3
"""Up to so many files that all break a framework are at fault themselves; where more do, it is the scanner."""
_INSPECTED = (".yaml", ".yml", ".json", ".template")


def scan_frameworks(
    job: Job, mirror: Mirror, work: Path, parent: Parent, limits: ScanLimits, secret_key: bytes
) -> dict[str, FrameworkScan]:
    """The result of every framework of the job, by name; a framework without files to read needs no Checkov."""
    scanner = _Scanner(job, work, parent, limits, secret_key)
    asked = [name for name in job.frameworks if scanner.wanted(name)]
    broken: dict[str, str] = {}
    results: dict[str, ChildResult] = {}
    if asked:
        wanted = {entry.path: entry for name in asked for entry in scanner.wanted(name)}
        mirror.export(wanted.values(), work / "tree")
        broken = scanner.inspect(sorted(wanted))
        results = scanner.scan(asked)
        if job.memo is not None and FRAMEWORK in asked:
            scanner.remember(job.memo, results[FRAMEWORK])
    return {
        name: framework_result(
            name, job, results.get(name) or scanner.unscanned(name), broken, scanner.refused, work / "tree", limits
        )
        for name in job.frameworks
    }


class _Scanner:
    def __init__(self, job: Job, work: Path, parent: Parent, limits: ScanLimits, secret_key: bytes) -> None:
        self._job, self._work, self._parent = job, work, parent
        self._limits, self._secret_key = limits, secret_key
        self._tree = work / "tree"
        # A hostile commit may drive every attempt to its limit; all attempts together have a limit too.
        self._deadline = time.monotonic() + 2 * limits.seconds
        self._is_certain = True
        self._ran_out_of_time = False
        self.refused: dict[str, str] = {}
        """Files taken out of the tree before the scan, with the reason."""

        self._only = job.memo.missing(job.arguments_key, job.reads.get(FRAMEWORK, ())) if job.memo else None

    def wanted(self, framework: str) -> Sequence[TreeEntry]:
        """The files that a framework has to be run for."""
        return self._job.reads[framework] if framework != FRAMEWORK or self._only is None else self._only

    def unscanned(self, framework: str) -> ChildResult:
        """The result of a framework that needs no run: nothing to read, or all of it known."""
        known = Known()
        if framework == FRAMEWORK and self._job.memo is not None:
            known = self._job.memo.recall(self._job.arguments_key, self._job.reads[framework])
        read = Proven(dict.fromkeys((entry.path for entry in self._job.reads[framework]), None), known.standing)
        return ChildResult(FrameworkReport(framework, with_ordinals(known.findings)), proven=read)

    def remember(self, memo: FileMemo, result: ChildResult) -> None:
        """Add the known findings of the files that were not read, and remember those of the files that were."""
        if result.error or self._only is None:
            return
        fresh = {entry.path for entry in self._only}
        rest = [entry for entry in self._job.reads[FRAMEWORK] if entry.path not in fresh]
        known = memo.recall(self._job.arguments_key, rest)
        read = [entry for entry in self._only if entry.path in result.proven.read]
        memo.learn(self._job.arguments_key, read, Known(result.report.findings, result.proven.passed))
        result.report = FrameworkReport(FRAMEWORK, with_ordinals([*known.findings, *result.report.findings]))
        result.proven = replace(
            result.proven,
            read={**result.proven.read, **dict.fromkeys((entry.path for entry in rest), None)},
            passed={**result.proven.passed, **known.standing},
        )

    def inspect(self, paths: Sequence[str]) -> dict[str, str]:
        """Remove files that would be dangerous to parse; returns those that are not YAML."""
        files = [path for path in paths if path.endswith(_INSPECTED)]
        if not files:
            return {}
        answer = self._inspected(files)
        if answer.outcome != "done":
            self._is_certain = False
            verdicts = {path: {"reason": f"it cannot be looked at: {answer.reason}"} for path in files}
        else:
            verdicts = answer.document
        self.refused = {path: verdict["reason"] for path, verdict in verdicts.items() if "reason" in verdict}
        for path in self.refused:
            (self._tree / path).unlink()
        return {path: verdict["broken"] for path, verdict in verdicts.items() if "broken" in verdict}

    def _inspected(self, files: Sequence[str]) -> Answer:
        for _ in range(3):
            answer = self._parent.ask("inspect", self._tree, self._work, files=files)
            if not answer.was_killed:
                return answer
        raise ScanError(
            "The process that looks at a commit's files was killed three times; is the machine out of memory?"
        )

    def scan(self, frameworks: Sequence[str]) -> dict[str, ChildResult]:
        """Every framework's result: all in one process, one by one where that failed, without the bad files last."""
        results = self._ask(frameworks, self._tree, None)
        if len(frameworks) > 1 and all(result.error for result in results.values()):
            results = {name: self._ask([name], self._tree, None)[name] for name in frameworks}
        results = {
            name: self._without_culprits(name, result) if result.error else result for name, result in results.items()
        }
        for result in results.values():
            result.is_certain = result.is_certain and self._is_certain
        return results

    def _without_culprits(self, framework: str, failed: ChildResult) -> ChildResult:
        if failed.was_killed:
            return failed
        paths = [entry.path for entry in self.wanted(framework) if entry.path not in self.refused]
        search = Search(self._tree, self._work, lambda tree, s: self._attempt(framework, tree, s), self._limits)
        culprits = search.culprits(paths)
        if not culprits or len(culprits) == len(paths) > _AT_FAULT:
            return failed
        rest = self._work / f"rest-{framework}"
        rest.mkdir()
        bad = dict(culprits)
        link_files(self._tree, (path for path in paths if path not in bad), rest)
        result = self._ask([framework], rest, None)[framework]
        result.is_certain = not self._ran_out_of_time
        result.culprits = tuple(UnreadableFile(path, f"it breaks {framework}: {why}") for path, why in culprits)
        return result

    def _attempt(self, framework: str, tree: Path, seconds: float) -> str:
        result = self._ask([framework], tree, seconds)[framework]
        if result.was_killed:
            raise KilledError
        return result.error

    def _ask(self, frameworks: Sequence[str], tree: Path, seconds: float | None) -> dict[str, ChildResult]:
        started = time.monotonic()
        only = {FRAMEWORK: [entry.path for entry in self._only]} if self._only is not None else {}
        expected = {name: [*self._job.expected[name]] for name in frameworks}
        if FRAMEWORK in expected:
            expected[FRAMEWORK] = [e.path for e in self.wanted(FRAMEWORK) if e.path in self._job.expected[FRAMEWORK]]
        words: dict[str, Any] = {"frameworks": list(frameworks), "arguments": self._job.arguments, "only": only}
        words["expected"] = expected
        wall = min(seconds or self._limits.seconds, self._deadline - started)
        answer = self._parent.ask("scan", tree, self._work, wall, **words) if wall > 0 else Answer("time")
        self._ran_out_of_time |= answer.outcome in ("time", "cpu")
        if answer.outcome != "done":
            spent = (time.monotonic() - started) / len(frameworks)
            return {
                name: ChildResult(FrameworkReport(name, ()), answer.reason, answer.was_killed, spent)
                for name in frameworks
            }
        try:
            reports = {r.framework: r for r in read_reports(answer.document["report"], str(tree), self._secret_key)}
        except ScanError as error:
            return {name: ChildResult(FrameworkReport(name, ()), error=str(error)) for name in frameworks}
        return {
            name: ChildResult(
                reports.get(name) or FrameworkReport(name, ()),
                error=_error(details, name in reports),
                seconds=details["seconds"],
                opened=tuple(details["opened"]),
                proven=read_proof(name, details["proof"], str(tree), self._secret_key),
                reasons=details["reasons"],
            )
            for name, details in answer.document["frameworks"].items()
        }


def _error(details: Mapping[str, Any], has_report: bool) -> str:
    if details["error"]:
        return excerpt(f"Checkov crashed: {details['error']}", 600)
    return "" if has_report else "Checkov gave no report and no reason"
