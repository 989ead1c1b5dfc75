"""What was found in single files, for the framework that looks at nothing but single files.

Checkov's search for secrets reads one file at a time and puts its records together by file and line; nothing crosses
files. Deliberately absent: every framework with a graph, and OpenAPI, where that was not shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.findings import Finding

FRAMEWORK = "secrets"
Key = tuple[object, str, str]


class FileMemo:
    """Findings by filter, path and blob; forgets everything when it grows too large."""

    def __init__(self, most: int = 100_000) -> None:
        self._found: dict[Key, tuple[Finding, ...]] = {}
        self._most = most

    def missing(self, filters: object, files: Iterable[TreeEntry]) -> list[TreeEntry]:
        """Those files of which nothing is known."""
        return [entry for entry in files if (filters, entry.path, entry.blob) not in self._found]

    def recall(self, filters: object, files: Iterable[TreeEntry]) -> list[Finding]:
        """What is known of files, without ordinals."""
        return [finding for entry in files for finding in self._found.get((filters, entry.path, entry.blob), ())]

    def learn(self, filters: object, files: Sequence[TreeEntry], findings: Sequence[Finding]) -> None:
        """Keep a scan of exactly these files; not kept where it names any other file."""
        if {finding.file_path for finding in findings} - {entry.path for entry in files}:
            return
        if len(self._found) > self._most:
            self._found.clear()
        by_path: dict[str, list[Finding]] = {entry.path: [] for entry in files}
        for finding in findings:
            by_path[finding.file_path].append(replace(finding, ordinal=0))
        self._found |= {(filters, entry.path, entry.blob): tuple(by_path[entry.path]) for entry in files}
