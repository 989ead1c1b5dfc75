"""Tables in Dagster's metadata. Text from a commit is escaped: its author controls it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dagster as dg

from infraaudit_domain.errors import excerpt
from infraaudit_domain.reporting.order import finding_worst_first
from infraaudit_domain.reporting.remedies import Remedies
from infraaudit_domain.scans.findings import Finding

_ROWS = 50


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MetadataValue:
    """A Markdown table of at most 50 rows; the last row says how many more there are."""
    every = [[_cell(value) for value in row] for row in rows]
    lines = [list(columns), ["---"] * len(columns), *every[:_ROWS]]
    if len(every) > _ROWS:
        lines.append([f"… and {len(every) - _ROWS} more", *[""] * (len(columns) - 1)])
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))


@dataclass(frozen=True, slots=True)
class _Link:
    text: str
    address: str


def findings_table(findings: Iterable[Finding], remedies: Remedies) -> dg.MetadataValue:
    """Findings, one a row, the most severe first; the check links to how it is fixed."""
    rows = [
        (
            f.severity.value,
            _Link(f.check_id, remedies.of(f.check_id, f.guideline).link),
            f.check_name,
            f"{f.file_path}:{f.line_start}",
            f.resource,
            f.fingerprint[:12],
        )
        for f in sorted(findings, key=finding_worst_first)
    ]
    return table(["severity", "check", "what", "where", "resource", "id"], rows)


def code(text: str) -> dg.MetadataValue:
    """Preformatted outside text."""
    fence = "`" * 4
    return dg.MetadataValue.md(f"{fence}text\n{excerpt(text, 6000).replace(fence, '')}\n{fence}")


def _cell(value: object) -> str:
    if isinstance(value, _Link):
        linked = re.fullmatch(r"https://[^\s()<>|]+", value.address)
        return f"[{_cell(value.text)}]({value.address})" if linked else _cell(value.text)
    text = f"{value:.2f}" if isinstance(value, float) else excerpt(str(value), 300)
    escaped = "".join(f"\\{c}" if c in "\\`*_[]|~#!" else c for c in " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")
