"""What of a commit the scanner should have read and what it read, by framework, and since when a gap stands."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from infraaudit_domain.scans.evidence import EVERY_FILE, is_unread
from infraaudit_domain.scans.findings import ScanStatus
from resources.history import schema
from resources.history.store import History
from resources.history.stored_line import StoredLine

_STEP = 200
_MORE = re.compile(r"and (\d+) more")


@dataclass(frozen=True, slots=True)
class Gap:
    path: str
    reason: str
    since: str | None
    """The first commit of the line from which on every scanned commit has it; None beside the line."""
    part_of: str = ""
    """The chart whose templates are all unread for one reason."""


@dataclass(frozen=True, slots=True)
class FrameworkCoverage:
    framework: str
    status: str
    expected: int | None
    """None for a result from before files were counted."""
    unread: int
    reason: str
    gaps: tuple[Gap, ...]

    @property
    def since(self) -> str | None:
        """The commit from which on the first of its gaps stands."""
        return next((gap.since for gap in self.gaps), None)

    @property
    def read(self) -> int | None:
        return None if self.expected is None else max(0, self.expected - self.unread)


def coverage_of(line: StoredLine, sha: str, parts: Sequence[sa.RowMapping]) -> list[FrameworkCoverage]:
    """The coverage of a commit by each of these results of it."""
    since = _since(line, sha, {part["framework"]: [file["path"] for file in part["unreadable"]] for part in parts})
    return [
        FrameworkCoverage(
            framework=part["framework"],
            status=part["status"],
            expected=part["evidence"].expected if part["evidence"] else None,
            unread=unread_count(part),
            reason=part["reason"],
            gaps=tuple(
                Gap(
                    file["path"],
                    file["reason"],
                    since.get((part["framework"], file["path"])),
                    file.get("part_of", ""),
                )
                for file in part["unreadable"]
            ),
        )
        for part in parts
    ]


def unread_count(part: sa.RowMapping) -> int:
    """How many files of a framework were not read; all that were expected, where it failed."""
    if part["status"] == ScanStatus.FAILED and part["evidence"]:
        return int(part["evidence"].expected)
    files = (file for file in part["unreadable"] if not file.get("check_id"))
    return sum(count_of(file["path"], file["reason"]) for file in files)


def count_of(path: str, reason: str) -> int:
    """For how many files a gap stands: one, or all that are not listed."""
    match = _MORE.match(reason) if path == EVERY_FILE else None
    return int(match[1]) if match else 1


def files_of_result(history: History, scan_key: str) -> dict[str, int]:
    """How many files a stored result should have read, read and did not read; empty where that was not counted."""
    table = schema.framework_scans
    row = history.row(sa.select(table).where(table.c.scan_key == scan_key))
    if row is None or row["evidence"] is None:
        return {}
    expected, unread = row["evidence"].expected, unread_count(row)
    return {"expected": expected, "read": max(0, expected - unread), "unread": unread}


def scanned_parts(history: History, project: str, sha: str) -> Sequence[sa.RowMapping]:
    """The results of a commit's frameworks, without their findings."""
    parts, results = schema.scan_parts, schema.framework_scans
    query = (
        sa.select(results)
        .join(parts, parts.c.scan_key == results.c.scan_key)
        .where(parts.c.project == project, parts.c.sha == sha)
        .order_by(results.c.framework)
    )
    return history.rows(query)


def _since(line: StoredLine, sha: str, gaps: dict[str, list[str]]) -> dict[tuple[str, str], str]:
    """Walks back along the line until no gap is left that stood before."""
    position = line.positions().get(sha)
    standing = {(framework, path) for framework, paths in gaps.items() for path in paths}
    found: dict[tuple[str, str], str] = {}
    if position is None:
        return found
    for end in range(position + 1, 0, -_STEP):
        if not standing:
            break
        shas = line.shas[max(0, end - _STEP) : end]
        unread = _unread(line, shas, {framework for framework, _ in standing})
        for earlier in reversed(shas):
            known = {key for key in standing if (key[0], earlier) in unread}
            here = {key for key in known if is_unread(key[1], unread[key[0], earlier])}
            found |= dict.fromkeys(here, earlier)
            standing -= known - here
    return found


def _unread(line: StoredLine, shas: Sequence[str], frameworks: set[str]) -> dict[tuple[str, str], list[str]]:
    """By framework and commit: the files that were not read; without entry where it was not scanned or failed."""
    parts, results = schema.scan_parts, schema.framework_scans
    query = (
        sa.select(parts.c.sha, parts.c.framework, results.c.unreadable)
        .join(results, parts.c.scan_key == results.c.scan_key)
        .where(parts.c.project == line.project, parts.c.sha.in_(shas), parts.c.framework.in_(frameworks))
        .where(results.c.status != ScanStatus.FAILED.value)
    )
    return {
        (row["framework"], row["sha"]): [file["path"] for file in row["unreadable"]] for row in line.history.rows(query)
    }
