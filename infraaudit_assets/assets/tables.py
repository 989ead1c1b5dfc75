"""Tables in Dagster's metadata. Text from a commit is escaped: its author controls it."""

from collections.abc import Iterable, Sequence

import dagster as dg

from infraaudit_domain.errors import excerpt
from infraaudit_domain.scans.findings import Finding

_ROWS = 50


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MetadataValue:
    """A Markdown table of at most 50 rows; the last row says how many more there are."""
    every = [[_cell(value) for value in row] for row in rows]
    lines = [list(columns), ["---"] * len(columns), *every[:_ROWS]]
    if len(every) > _ROWS:
        lines.append([f"… and {len(every) - _ROWS} more", *[""] * (len(columns) - 1)])
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))


def findings_table(findings: Iterable[Finding]) -> dg.MetadataValue:
    """Findings, one a row."""
    rows = [(f.severity.value, f.check_id, f.check_name, f"{f.file_path}:{f.line_start}", f.resource) for f in findings]
    return table(["severity", "check", "what", "where", "resource"], rows)


def code(text: str) -> dg.MetadataValue:
    """Preformatted outside text."""
    fence = "`" * 4
    return dg.MetadataValue.md(f"{fence}text\n{excerpt(text, 6000).replace(fence, '')}\n{fence}")


def _cell(value: object) -> str:
    text = f"{value:.2f}" if isinstance(value, float) else excerpt(str(value), 300)
    escaped = "".join(f"\\{c}" if c in "\\`*_[]|~#!" else c for c in " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")
