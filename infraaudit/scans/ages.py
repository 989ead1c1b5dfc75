"""How long findings have stood, from the spans of their lifecycles and the times of commits."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from infraaudit_domain.judging.ages import Age, age_of
from infraaudit_domain.lifecycles.spans import Span


def opening_commits(path: Sequence[str], spans: Sequence[Span]) -> set[str]:
    """The commits whose times bound the ages of findings; ``path`` is the line that the spans count along."""
    bounds = {_commit(path, position) for span in spans for position in (span.opened, span.opened_after)}
    return {sha for sha in bounds | {span.opened_sha for span in spans} if sha}


def age_of_span(path: Sequence[str], span: Span, times: Mapping[str, datetime], now: datetime) -> Age | None:
    """The age of a finding; None where the time of the commit that it is known from is not recorded."""
    opened = times.get(span.opened_sha or path[span.opened])
    lacking = _commit(path, span.opened_after)
    return age_of(opened, span.opened_sha is not None, times.get(lacking or ""), now) if opened else None


def _commit(path: Sequence[str], position: int | None) -> str | None:
    return path[position] if position is not None and position >= 0 else None
