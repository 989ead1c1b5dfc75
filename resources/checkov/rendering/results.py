"""What rendered kustomizations and charts add to the scan of the plain files: findings, proof and gaps.

A chart's templates are read by rendering them, so their findings have the names of any file's. A kustomization is one of
several ways in which a file is used: what arises in it alone has a name of its own, and what the plain file or a
kustomization that it includes has too is not counted again.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from infraaudit_domain.scans.checkov_report import with_ordinals
from infraaudit_domain.scans.evidence import EVERY_CHECK, Evidence
from infraaudit_domain.scans.expectation import chart_of
from infraaudit_domain.scans.findings import Finding, UnreadableFile
from infraaudit_domain.scans.renderings import Unit, as_rendered

Passed = Mapping[str, Mapping[str, frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Made:
    """A rendered file, and the source that it comes from."""

    path: str
    names: Mapping[str, str]
    """What resources are called in the source; a name that ends with a dot stands for all that begin with it."""
    lines: tuple[int, int] | None
    """Of the source; None where the lines are the source's own."""

    @classmethod
    def of(cls, document: Mapping[str, Any], unit: Unit) -> "Made":
        lines = document["lines"]
        return cls(document["origin"] or unit.path, document["names"], tuple(lines) if lines else None)

    def resource(self, name: str) -> str:
        """A rendered resource as its source calls it."""
        found = (then for now, then in self.names.items() if name == now or (now[-1] == "." and name.startswith(now)))
        return next(found, name)

    def finding(self, finding: Finding) -> Finding:
        start, end = self.lines or (finding.line_start, finding.line_end)
        resource = self.resource(finding.resource)
        return replace(finding, file_path=self.path, resource=resource, line_start=start, line_end=end)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the scan of a rendered unit says, by the files that its objects come from."""

    unit: Unit
    findings: tuple[Finding, ...] = ()
    passed: Passed = field(default_factory=dict)
    undecided: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    """Files of whose objects some were not read, with the reason."""
    fault: str = ""
    """Why there is no result."""
    is_certain: bool = True
    """Whether the same files would give the same again: no limit of time was met."""

    @classmethod
    def of(
        cls,
        unit: Unit,
        made: Mapping[str, Made],
        findings: Iterable[Finding],
        proof: Evidence,
        unread: Mapping[str, str],
    ) -> "Rendered":
        passed: dict[str, dict[str, frozenset[str]]] = {}
        for file, resources in proof.passed.items():
            known = passed.setdefault(made[file].path, {})
            for name, checks in resources.items():
                resource = made[file].resource(name)
                known[resource] = known.get(resource, checks) & checks
        undecided: dict[str, frozenset[str]] = {}
        for file, checks in proof.undecided.items():
            undecided[made[file].path] = undecided.get(made[file].path, frozenset()) | checks
        return cls(
            unit,
            tuple(made[finding.file_path].finding(finding) for finding in findings),
            passed,
            undecided,
            {made[file].path: reason for file, reason in unread.items()},
        )


@dataclass(frozen=True, slots=True)
class Renderings:
    """The results of a commit's units, by their files."""

    results: Mapping[str, Rendered] = field(default_factory=dict)

    @property
    def is_certain(self) -> bool:
        return all(result.is_certain for result in self.results.values())

    @property
    def charts(self) -> list[Rendered]:
        return [result for result in self.results.values() if result.unit.is_chart]

    @property
    def kustomizations(self) -> list[Rendered]:
        return [result for result in self.results.values() if not result.unit.is_chart]

    @property
    def expected(self) -> int:
        """Files that are only read by rendering: kustomizations, and charts of which a part is packed."""
        return len(self.kustomizations) + sum(_is_packed(chart.unit) for chart in self.charts)

    def gaps(
        self, plain: Iterable[UnreadableFile], expected: Collection[str], charts: Collection[str]
    ) -> Iterator[UnreadableFile]:
        """The gaps that are left of those of the plain files, and those of the units themselves."""
        found = {gap.path: gap for gap in plain}
        patches = self._patches()
        for gap in found.values():
            chart = self._chart_with(gap.path) if chart_of(gap.path, charts) is not None else None
            if chart is not None and chart.fault:
                why = f"a template of the Helm chart {_shown(chart.unit)}, which is not rendered: {chart.fault}"
                yield replace(gap, reason=why, part_of=chart.unit.path)
            elif chart is not None and gap.path in chart.unread:
                yield replace(gap, reason=f"as its chart renders it: {chart.unread[gap.path]}")
            elif chart is None and gap.path not in patches:
                yield gap
        for result in self.kustomizations:
            yield from _gap_of_kustomization(result)
        for chart in self.charts:
            if chart.fault and _is_packed(chart.unit):
                yield UnreadableFile(chart.unit.path, f"it is not rendered: {chart.fault}", part_of=chart.unit.path)
            beside = chart.unread.keys() - expected - found.keys()
            yield from (UnreadableFile(path, f"as it is rendered: {chart.unread[path]}") for path in sorted(beside))

    def findings(self, plain: Iterable[Finding], read: Collection[str]) -> tuple[Finding, ...]:
        """All findings, each once; ``read`` are the files that were read as they are."""
        reported = [*plain]
        of_charts = [f for chart in self.charts for f in chart.findings if f.file_path not in read]
        of_kustomizations = [
            replace(finding, resource=as_rendered(finding.resource, result.unit.path))
            for result in self.kustomizations
            for finding in self._arising_in(result, reported)
        ]
        return with_ordinals([*reported, *of_charts, *of_kustomizations])

    def evidence(self, plain: Evidence, read: Collection[str], unread: Collection[str]) -> Evidence:
        """The proof of the plain files and of the units; ``unread`` are files that were not read as they are."""
        passed = {path: dict(resources) for path, resources in plain.passed.items()}
        undecided = dict(plain.undecided)
        for path in self._patches() & set(unread):
            undecided[path] = frozenset({EVERY_CHECK})
        for result in self.results.values():
            by = None if result.unit.is_chart else result.unit.path
            for path, resources in result.passed.items():
                if by is not None or path not in read:
                    named = {as_rendered(name, by) if by else name: checks for name, checks in resources.items()}
                    passed.setdefault(path, {}).update(named)
            for path, checks in result.undecided.items():
                if by is not None or path not in read:
                    undecided[path] = undecided.get(path, frozenset()) | checks
        return Evidence(plain.expected + self.expected, passed, undecided)

    def _patches(self) -> set[str]:
        """Files that are parts of objects, and were read as such."""
        return {path for result in self.kustomizations if not result.fault for path in result.unit.patches}

    def _chart_with(self, path: str) -> Rendered | None:
        return next((chart for chart in self.charts if path in chart.unit.reads), None)

    def _arising_in(self, result: Rendered, plain: Iterable[Finding]) -> Iterator[Finding]:
        """A kustomization's findings that neither the plain files nor a kustomization that it includes has."""
        included = (self.results.get(path) for path in result.unit.made_of)
        known = [*plain, *(finding for base in included if base is not None for finding in base.findings)]
        reported: dict[tuple[str, str], list[Finding]] = {}
        for finding in known:
            reported.setdefault((finding.file_path, finding.check_id), []).append(finding)
        for finding in result.findings:
            alike = reported.get((finding.file_path, finding.check_id), ())
            if not any(_is_same(finding, other) and (other.is_open or not finding.is_open) for other in alike):
                yield finding


def _is_same(finding: Finding, other: Finding) -> bool:
    """Whether two findings are about one resource; the name of a workload's pods ends with their labels, or does not."""
    one, another = sorted((finding.resource, other.resource), key=len)
    return one == another or (one.startswith("Pod.") and another.startswith(f"{one}."))


def _gap_of_kustomization(result: Rendered) -> Iterator[UnreadableFile]:
    if result.fault:
        yield UnreadableFile(result.unit.path, f"it is not rendered: {result.fault}")
    elif result.unread:
        path, reason = min(result.unread.items())
        count = len(result.unread)
        yield UnreadableFile(
            result.unit.path, f"of {count} of its files not all was read as rendered ({path}: {reason})"
        )


def _is_packed(unit: Unit) -> bool:
    return any(path.endswith((".tgz", ".tar.gz")) for path in unit.reads)


def _shown(unit: Unit) -> str:
    return unit.folder.rstrip("/") or "."
