"""Whose doing an event was, as far as it is known: a commit, a range of commits, or anything before one."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.judging.ages import Certainty, certainty


def event_range(shas: Sequence[str], position: int, after: int | None, sha: str | None) -> dict[str, Any]:
    """``commit``: the one whose doing it was, or the first known to be so; ``after``: the last known to be otherwise.

    ``after`` is None where the commit is known, and where no commit is known to be otherwise; ``certainty`` says which.
    """
    sure = certainty(after, sha)
    lacking = shas[after] if sure is Certainty.BETWEEN and after is not None and after >= 0 else None
    return {"commit": sha or shas[position], "after": lacking, "certainty": sure.value}


def stands_unread(span: sa.FromClause, position: int | sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Spans that stand at a position of their line whose scan did not read where they are."""
    stands = (span.c.start_position <= position) & (span.c.end_position.is_(None) | (span.c.end_position > position))
    return is_out_of_sight(span) & stands & (span.c.end_after < position)


def is_out_of_sight(span: sa.FromClause) -> sa.ColumnElement[bool]:
    """Spans that stood at commits whose scans did not read where they are; in the words of the index for them."""
    return span.c.end_position.is_(None) | (span.c.end_after < span.c.end_position - 1)
