"""The answer to "least-exposure": every way back by the finding-hours that it would return and avoid."""

from collections import Counter
from collections.abc import Sequence

import sqlalchemy as sa

from infraaudit.questions.asked import Asked, Page, Row
from infraaudit.questions.replay.ways_back import ways_back
from infraaudit_domain.delivery.advice import advise
from infraaudit_domain.delivery.least_exposure import Exposure, least_first
from infraaudit_domain.scans.findings import Severity
from resources.history.queries.frames import commits_named

DAY, MOST = 24.0, 60
"""Hours that are looked ahead by default, and how many of the newest candidates."""


def least_exposure(asked: Asked) -> Page:
    """One row for each commit to go back to, what exposes least first."""
    return asked.cut(exposure_rows(asked, *exposures(asked)))


def exposure_rows(asked: Asked, found: Sequence[Exposure], advised: str | None) -> list[Row]:
    """Candidates as rows, in their order."""
    named = commits_named(asked.history, asked.project, [one.candidate.sha for one in found])
    rows = [_row(one, named.get(one.candidate.sha), one.candidate.sha == advised) for one in found]
    environment, live = asked.environment(), asked.live()
    return [{"environment": environment, "live": live} | row for row in rows]


def exposures(asked: Asked) -> tuple[list[Exposure], str | None]:
    """The candidates, what exposes least first, and the commit that is advised. Raises NotThereError."""
    asked.live()
    live = asked.history.live(asked.project, asked.environment())
    assert live is not None
    candidates = ways_back(asked.line, live, asked.rules.suppressions, asked.now, MOST)
    best = advise(candidates)
    return least_first(candidates, float(asked.given.get("hours") or DAY)), best.sha if best else None


def _row(one: Exposure, commit: sa.RowMapping | None, is_advised: bool) -> Row:
    candidate = one.candidate
    returned, avoided = one.returned or Counter[Severity](), one.avoided or Counter[Severity]()
    return {
        "sha": candidate.sha,
        "subject": commit["subject"] if commit else None,
        "author": commit["author_name"] if commit else None,
        "advised": is_advised,
        "hours": one.hours,
        "returned": round(float(returned.total()), 2) if one.is_known else None,
        "avoided": round(float(avoided.total()), 2) if one.is_known else None,
        "findings_returning": len(candidate.returning) if candidate.returning is not None else None,
        "findings_leaving": len(candidate.leaving) if candidate.leaving is not None else None,
        "hours_live": candidate.hours_live,
        "outcomes": ", ".join(candidate.outcomes) or None,
        "against": "; ".join(candidate.against) or None,
    } | {
        f"{word}_{severity.value}": round(float(counts[severity]), 2) if one.is_known else None
        for word, counts in (("returned", returned), ("avoided", avoided))
        for severity in Severity
    }  # fmt: skip
