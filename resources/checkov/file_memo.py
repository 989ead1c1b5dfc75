"""Known findings of single files, for the one framework that reads each file by itself.

Checkov's search for secrets reads one file at a time and puts its records together by file and line; no finding depends
on two files. Deliberately absent: every framework with a graph, and OpenAPI, for which this was not verified.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.scans.findings import Finding

FRAMEWORK = "secrets"
Key = tuple[object, str, str]


class FileMemo:
    """Findings by filter, path and blob; forgets everything when it grows too large."""

    def __init__(self, most: int = 100_000) -> None:
        self._found: dict[Key, tuple[Finding, ...]] = {}
        self._most = most

    def missing(self, filters: object, files: Iterable[TreeEntry]) -> list[TreeEntry]:
        """The files without known findings."""
        return [entry for entry in files if (filters, entry.path, entry.blob) not in self._found]

    def recall(self, filters: object, files: Iterable[TreeEntry]) -> list[Finding]:
        """The known findings of files, without ordinals."""
        return [finding for entry in files for finding in self._found.get((filters, entry.path, entry.blob), ())]

    def learn(self, filters: object, files: Sequence[TreeEntry], findings: Sequence[Finding]) -> None:
        """Keep the findings of a scan of exactly these files; findings in any other file are not kept."""
        if {finding.file_path for finding in findings} - {entry.path for entry in files}:
            return
        if len(self._found) > self._most:
            self._found.clear()
        by_path: dict[str, list[Finding]] = {entry.path: [] for entry in files}
        for finding in findings:
            by_path[finding.file_path].append(replace(finding, ordinal=0))
        self._found |= {(filters, entry.path, entry.blob): tuple(by_path[entry.path]) for entry in files}
