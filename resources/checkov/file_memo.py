"""What is known of single files, for the one framework that reads each file by itself.

Checkov's search for secrets reads one file at a time and puts its records together by file and line; no finding depends
on two files. Deliberately absent: every framework with a graph, and OpenAPI, for which this was not verified.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.scans.findings import Finding

FRAMEWORK = "secrets"
Key = tuple[object, str, str]
Resources = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Known:
    """What a scan said of some files."""

    findings: Sequence[Finding] = ()
    standing: Mapping[str, Resources] = field(default_factory=dict)
    """By file: what stands in it though it is not reported, as evidence names it."""


class FileMemo:
    """What is known by filter, path and blob; forgets everything when it grows too large."""

    def __init__(self, most: int = 100_000) -> None:
        self._known: dict[Key, Known] = {}
        self._most = most

    def missing(self, filters: object, files: Iterable[TreeEntry]) -> list[TreeEntry]:
        """The files of which nothing is known."""
        return [entry for entry in files if (filters, entry.path, entry.blob) not in self._known]

    def recall(self, filters: object, files: Iterable[TreeEntry]) -> Known:
        """What is known of files; findings without ordinals."""
        found = [known for e in files if (known := self._known.get((filters, e.path, e.blob)))]
        standing = {path: resources for known in found for path, resources in known.standing.items()}
        return Known([finding for known in found for finding in known.findings], standing)

    def learn(self, filters: object, files: Sequence[TreeEntry], known: Known) -> None:
        """Keep what a scan of exactly these files said; findings in any other file are not kept."""
        if {finding.file_path for finding in known.findings} - {entry.path for entry in files}:
            return
        if len(self._known) > self._most:
            self._known.clear()
        by_path: dict[str, list[Finding]] = {entry.path: [] for entry in files}
        for finding in known.findings:
            by_path[finding.file_path].append(replace(finding, ordinal=0))
        for entry in files:
            standing = {entry.path: known.standing[entry.path]} if entry.path in known.standing else {}
            self._known[filters, entry.path, entry.blob] = Known(tuple(by_path[entry.path]), standing)
