"""Render the units of a commit, and scan each by itself: what one makes is nothing to the checks of another.

Each result is kept for the next commit whose unit reads the same files. Deliberately absent: what the results mean
beside the plain files (results.py).
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infraaudit_domain.errors import ScanError, excerpt
from infraaudit_domain.scans.checkov_report import Proven, read_proof, read_reports
from infraaudit_domain.scans.documents import documents, json_text
from infraaudit_domain.scans.expectation import expected_parts
from infraaudit_domain.scans.findings import Finding, UnreadableFile
from resources.checkov.limits import RenderLimits
from resources.checkov.parent import Answer, Parent
from resources.checkov.reading.gaps import evidence, unread_files
from resources.checkov.rendering.kept import Kept
from resources.checkov.rendering.plan import Plan, Planned
from resources.checkov.rendering.results import Made, Rendered, Renderings
from resources.git.mirror import Mirror

FRAMEWORK = "kubernetes"


class Renderer:
    """Renders and scans with one primed parent; ``kept`` holds what may be used again, where anything may."""

    def __init__(self, parent: Parent, limits: RenderLimits, secret_key: bytes, kept: Kept | None) -> None:
        self._parent, self._limits, self._secret_key, self._kept = parent, limits, secret_key, kept

    def rendered(self, plan: Plan, circumstances: str, mirror: Mirror, work: Path) -> Renderings:
        """The result of every unit of a plan, under a scanner and limits that ``circumstances`` stands for."""
        keys = {planned.unit.path: _key(planned, circumstances) for planned in plan.units}
        results = {p.unit.path: Rendered(p.unit, fault=p.fault) for p in plan.units if p.fault}
        sound = [planned for planned in plan.units if not planned.fault]
        if self._kept is not None:
            known = ((p.unit.path, self._kept.get(keys[p.unit.path], p.unit)) for p in sound)
            results |= {path: result for path, result in known if result is not None}
        unknown = [planned for planned in sound if planned.unit.path not in results]
        deadline = time.monotonic() + self._limits.total_seconds
        if unknown:
            wanted = {entry.path: entry for planned in unknown for entry in planned.entries}
            mirror.export(wanted.values(), work / "sources")
        for number, planned in enumerate(unknown):
            result = self._result(planned, work, work / f"rendered-{number}", deadline)
            results[planned.unit.path] = result
            if self._kept is not None and result.is_certain:
                self._kept.put(keys[planned.unit.path], result)
        return Renderings(results)

    def _result(self, planned: Planned, work: Path, folder: Path, deadline: float) -> Rendered:
        left = deadline - time.monotonic()
        if left <= 0:
            why = f"the commit's kustomizations and charts take longer than {self._limits.total_seconds:g} s"
            return Rendered(planned.unit, fault=why, is_certain=False)
        answer = self._build(planned, work, folder, left)
        if answer.outcome != "done":
            fault = answer.reason.replace("Checkov", "what renders it")
            return Rendered(planned.unit, fault=fault, is_certain=answer.outcome == "memory")
        if error := answer.document.get("error"):
            return Rendered(planned.unit, fault=error, is_certain="did not finish within" not in error)
        made = {one["file"]: Made.of(one, planned.unit) for one in answer.document["objects"]}
        return self._scanned(planned, work, folder, made) if made else Rendered(planned.unit)

    def _build(self, planned: Planned, work: Path, folder: Path, left: float) -> Answer:
        unit, limits = planned.unit, asdict(self._limits)
        request: dict[str, Any] = {name: limits[name] for name in ("output_bytes", "objects")}
        request |= {"unit": unit.path, "folder": unit.folder, "is_chart": unit.is_chart, "reads": sorted(unit.reads)}
        request |= {"collects": unit.collects, "words": planned.program.words, "output": str(folder)}
        seconds = min(self._limits.seconds, left)
        return self._parent.ask("render", work / "sources", work, seconds + 5, tool_seconds=seconds, **request)

    def _scanned(self, planned: Planned, work: Path, folder: Path, made: Mapping[str, Made]) -> Rendered:
        expected = {name: parts for name in made if (parts := _expected(name, (folder / name).read_bytes()))}
        words: dict[str, Any] = {"frameworks": [FRAMEWORK], "arguments": [], "only": {}}
        answer = self._parent.ask("scan", folder, work, **words, expected={FRAMEWORK: sorted(expected)})
        if answer.outcome != "done":
            return Rendered(planned.unit, fault=answer.reason, is_certain=answer.outcome == "memory")
        details = answer.document["frameworks"][FRAMEWORK]
        try:
            findings = self._findings(answer.document["report"], str(folder))
        except ScanError as error:
            return Rendered(planned.unit, fault=str(error))
        if details["error"]:
            return Rendered(planned.unit, fault=excerpt(f"Checkov crashed: {details['error']}", 600))
        proven = read_proof("kubernetes", details["proof"], str(folder), b"")
        return _judged(planned, made, expected, findings, proven, details["reasons"])

    def _findings(self, report: Any, root: str) -> Sequence[Finding]:
        reports = read_reports(report, root, self._secret_key)
        return [finding for one in reports if one.framework == FRAMEWORK for finding in one.findings]


def _key(planned: Planned, circumstances: str) -> str:
    return hashlib.sha256(f"{circumstances} {planned.key}".encode()).hexdigest()


def _expected(name: str, content: bytes) -> Any:
    look = json_text if name.endswith(".json") else documents
    return expected_parts(FRAMEWORK, name, look(content), frozenset())


def _judged(
    planned: Planned,
    made: Mapping[str, Made],
    expected: Mapping[str, Any],
    findings: Sequence[Finding],
    proven: Proven,
    reasons: Mapping[str, str],
) -> Rendered:
    broken = {path: f"it breaks {FRAMEWORK}: {error}" for path, error in proven.broke.items()}
    passed_over = {gap.path: gap.reason for gap in unread_files(FRAMEWORK, expected, proven, reasons, ())}
    unread = passed_over | broken
    proof = evidence(FRAMEWORK, expected, proven, [UnreadableFile(*gap) for gap in unread.items()], ())
    return Rendered.of(planned.unit, made, findings, proof, unread)
