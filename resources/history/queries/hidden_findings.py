"""Which findings the project's suppressions hide now, for questions that the database filters and pages.

Whether one hides a finding is decided by its own rule (judging/suppressions.py); the database only leaves out what cannot
match.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.judging.suppressions import Source, Suppression
from infraaudit_domain.scans.findings import FindingStatus
from resources.history import schema
from resources.history.rows import finding_of
from resources.history.store import History

Hidden = Mapping[str, Suppression]
"""What hides a finding, by its id."""
_WILD = "*?["


def hidden_findings(
    history: History, project: str, sha: str, suppressions: Sequence[Suppression], now: datetime
) -> Hidden:
    """What hides findings of a commit today; the first suppression where several do."""
    found: dict[str, Suppression] = {}
    for one in suppressions:
        if not one.counts_on(now.date()):
            continue
        if one.source is Source.TRIAGE:
            found = dict.fromkeys(one.names, one) | found
        else:
            found = dict.fromkeys(_matched(history, project, sha, one), one) | found
    return found


def has_status(history: History, f: Any, wanted: str, hidden: Hidden) -> list[sa.ColumnElement[bool]]:
    """That a finding has a status as it counts now; an empty one is any."""
    if not wanted:
        return []
    is_hidden = _among(history, f.c.fingerprint, hidden) if hidden else sa.false()
    is_open = (f.c.status == FindingStatus.OPEN.value) & ~is_hidden
    return [is_open if wanted == FindingStatus.OPEN.value else ~is_open]


def status_of(row: Mapping[str, Any], hidden: Hidden) -> dict[str, Any]:
    """The columns of a finding's status as it counts now: status, suppression_reason, hidden_by."""
    by = hidden.get(row["id"]) if row["status"] == FindingStatus.OPEN.value else None
    if by is not None:
        status = FindingStatus.SUPPRESSED.value
        return {"status": status, "suppression_reason": by.reason, "hidden_by": by.source.value}
    return {"hidden_by": row["suppressed_by"] or None}


def _matched(history: History, project: str, sha: str, one: Suppression) -> set[str]:
    """Of the line's lives, and of the commit's own scan where it is beside the line."""
    spans, findings, parts = schema.spans, schema.findings, schema.scan_parts
    of_commit = sa.select(parts.c.scan_key).where(parts.c.project == project, parts.c.sha == sha)
    queries = [
        sa.select(spans).where(spans.c.project == project, *_may_match(spans, one)),
        sa.select(findings).where(findings.c.scan_key.in_(of_commit), *_may_match(findings, one)),
    ]
    return {row["fingerprint"] for query in queries for row in history.rows(query) if one.matches(finding_of(row))}


def _may_match(table: sa.Table, one: Suppression) -> list[sa.ColumnElement[bool]]:
    where = [table.c.status == FindingStatus.OPEN.value]
    where += [table.c.fingerprint.startswith(one.id)] if one.id else []
    named = ((table.c.check_id, one.check), (table.c.file_path, one.path), (table.c.resource, one.resource))
    return where + [column.startswith(_fixed(text), autoescape=True) for column, text in named if text]


def _fixed(pattern: str) -> str:
    """The beginning of what a pattern matches, as far as that is fixed."""
    return pattern[: min((at for at in map(pattern.find, _WILD) if at >= 0), default=len(pattern))]


def _among(history: History, column: Any, names: Hidden) -> sa.ColumnElement[bool]:
    """One parameter for any number of names: both databases limit how many a statement has."""
    text: sa.BindParameter[str] = sa.bindparam("hidden", json.dumps(sorted(names)), unique=True)
    if history.dialect == "postgresql":
        each = sa.func.json_array_elements_text(sa.cast(text, sa.JSON)).table_valued("value")
    else:
        each = sa.func.json_each(text).table_valued("value")
    return column.in_(sa.select(each.c.value))  # type: ignore[no-any-return]
