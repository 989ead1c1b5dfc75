"""Whose doing an event was, as far as it is known: a commit, a range of commits, or anything before one."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.judging.ages import Certainty, certainty
from infraaudit_domain.scans.findings import ScanStatus
from resources.history import schema
from resources.history.access import Access


def event_range(shas: Sequence[str], position: int, after: int | None, sha: str | None) -> dict[str, Any]:
    """``commit``: the one whose doing it was, or the first known to be so; ``after``: the last known to be otherwise.

    ``after`` is None where the commit is known, and where no commit is known to be otherwise; ``certainty`` says which.
    """
    sure = certainty(after, sha)
    lacking = shas[after] if sure is Certainty.BETWEEN and after is not None and after >= 0 else None
    return {"commit": sha or shas[position], "after": lacking, "certainty": sure.value}


def stands_unread(
    history: Access, project: str, sha: str, span: sa.FromClause, position: int | sa.ColumnElement[int]
) -> sa.ColumnElement[bool]:
    """Spans that stand at a commit (at a position of its line) whose scan did not read where they are.

    A span says that of its end alone: where a later scan read the file again, the commit's own scan has to be asked.
    """
    stands = (span.c.start_position <= position) & (span.c.end_position.is_(None) | (span.c.end_position > position))
    parts, results, found = schema.scan_parts, schema.framework_scans, schema.findings
    of_commit = (parts.c.project == project) & (parts.c.sha == sha)
    gaps = (results.c.status != ScanStatus.COMPLETE.value) | (sa.cast(results.c.unreadable, sa.Text) != "[]")
    of_result = sa.select(parts.c.sha).join(results, results.c.scan_key == parts.c.scan_key)
    if not history.rows(of_result.where(of_commit, gaps).limit(1)):
        return _is_out_of_sight(span) & stands & (span.c.end_after < position)
    reported = sa.select(found.c.fingerprint).join(parts, parts.c.scan_key == found.c.scan_key).where(of_commit)
    return stands & span.c.fingerprint.not_in(reported)


def _is_out_of_sight(span: sa.FromClause) -> sa.ColumnElement[bool]:
    """Spans that stood at commits whose scans did not read where they are; in the words of the index for them."""
    return span.c.end_position.is_(None) | (span.c.end_after < span.c.end_position - 1)
