"""The one order in which findings are listed: the most severe first, then by file and line."""

from collections.abc import Mapping
from typing import Any

from infraaudit_domain.scans.findings import Finding, Severity

SEVERITY_RANK = {severity.value: rank for rank, severity in enumerate(Severity)}


def worst_first(row: Mapping[str, Any]) -> tuple[int, str, int, str]:
    """The key by which rows of findings are sorted."""
    rank = SEVERITY_RANK.get(row["severity"], len(SEVERITY_RANK))
    return rank, row["file_path"] or "", row.get("line_start") or 0, row["check_id"] or ""


def finding_worst_first(finding: Finding) -> tuple[int, str, int, str]:
    """The key by which findings are sorted, in the order of their rows."""
    return SEVERITY_RANK[finding.severity], finding.file_path, finding.line_start, finding.check_id


def tally(rows: list[Mapping[str, Any]], noun: str) -> str:
    """Rows in one line, as "12 findings: 2 high, 10 low"; of suppressed ones only their number."""
    hidden = sum(row.get("status") == "suppressed" for row in rows)
    counts: dict[str, int] = {}
    for row in rows:
        if row.get("status") != "suppressed":
            counts[row["severity"]] = counts.get(row["severity"], 0) + 1
    shown = [f"{counts[name]} {name}" for name in SEVERITY_RANK if name in counts]
    total = sum(counts.values())
    words = f"{total} {noun}{'' if total == 1 else 's'}" + (f": {', '.join(shown)}" if shown else "")
    return f"{words}; {hidden} suppressed" if hidden else words
