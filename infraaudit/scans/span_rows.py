"""Spans of lifecycles as the history stores them."""

import sqlalchemy as sa

from infraaudit_domain.lifecycles.spans import Span
from resources.history.rows import finding_of, row_of_finding

_COLUMNS = {
    "life": "life",
    "introduced": "introduced_position", "introduced_after": "introduced_after", "introduced_sha": "introduced_sha",
    "opened": "opened_position", "opened_after": "opened_after", "opened_sha": "opened_sha",
    "start": "start_position", "start_after": "start_after", "start_sha": "start_sha",
    "started_as": "started_as", "start_cause": "start_cause",
    "end": "end_position", "end_after": "end_after", "end_sha": "end_sha",
    "ended_as": "ended_as", "end_cause": "end_cause",
}  # fmt: skip
"""The columns of a span's fields, but for its finding."""


def span_of(row: sa.RowMapping) -> Span:
    """A span as it is stored."""
    return Span(finding=finding_of(row), **{name: row[column] for name, column in _COLUMNS.items()})


def row_of(span: Span) -> dict[str, object]:
    """The columns of a span, without whose it is."""
    columns = {column: getattr(span, name) for name, column in _COLUMNS.items()}
    return {"fingerprint": span.finding.fingerprint} | columns | row_of_finding(span.finding)
