"""Results of rendered units, kept for the next commit whose unit reads the same files, and for the next process.

A result that cannot be read counts as none. Deliberately absent: results that a limit of time had a part in.
"""

import json
import os
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infraaudit_domain.errors import UnwritableFileError
from infraaudit_domain.scans.findings import Finding, FindingStatus, Severity
from infraaudit_domain.scans.renderings import Unit
from resources.checkov.rendering.results import Rendered
from resources.machine.atomic_file import write_atomically

_MOST = 2_000


class Kept:
    """Results by key, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, Rendered] = {}
        self._leave_the_newest()

    def get(self, key: str, unit: Unit) -> Rendered | None:
        """The result of a unit under a key of all that it depends on."""
        if key not in self._read:
            path = self._folder / key
            try:
                document = json.loads(zlib.decompress(path.read_bytes()))
                found = _rendered(document, unit)
                os.utime(path)
            except (OSError, ValueError, KeyError, TypeError, AttributeError, zlib.error):
                return None
            self._remember(key, found)
        return self._read[key]

    def put(self, key: str, result: Rendered) -> None:
        """Keep a result; where it cannot be written, for this process alone."""
        self._remember(key, result)
        try:
            write_atomically(self._folder / key, zlib.compress(json.dumps(_document(result)).encode()))
        except UnwritableFileError:
            return

    def _remember(self, key: str, result: Rendered) -> None:
        if len(self._read) >= _MOST:
            self._read.clear()
        self._read[key] = result

    def _leave_the_newest(self) -> None:
        try:
            found = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        except OSError:
            return
        for path in found[_MOST:]:
            path.unlink(missing_ok=True)


def _document(result: Rendered) -> dict[str, Any]:
    return {
        "findings": [asdict(finding) for finding in result.findings],
        "passed": {path: {name: sorted(c) for name, c in found.items()} for path, found in result.passed.items()},
        "undecided": {path: sorted(checks) for path, checks in result.undecided.items()},
        "unread": dict(result.unread),
        "fault": result.fault,
    }


def _rendered(document: dict[str, Any], unit: Unit) -> Rendered:
    return Rendered(
        unit,
        tuple(
            Finding(**row | {"status": FindingStatus(row["status"]), "severity": Severity(row["severity"])})
            for row in document["findings"]
        ),
        {path: {name: frozenset(c) for name, c in found.items()} for path, found in document["passed"].items()},
        {path: frozenset(checks) for path, checks in document["undecided"].items()},
        document["unread"],
        document["fault"],
    )
