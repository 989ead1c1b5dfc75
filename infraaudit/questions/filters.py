"""Which findings a question is about, and in which order: in the database, and over rows that Git was asked for."""

from collections.abc import Callable, Mapping
from typing import Any

from infraaudit.questions.asked import Asked, Row
from infraaudit.questions.parameters import ANY
from infraaudit_domain.reporting.columns import ORDERS
from infraaudit_domain.reporting.order import SEVERITY_RANK
from infraaudit_domain.reporting.path_filters import names
from resources.history.queries.finding_pages import FindingFilter


def wanted_findings(asked: Asked) -> FindingFilter:
    """The filter that the parameters of a question name."""
    exact = {name: asked.text(name) for name in ("severity", "framework", "check", "path")}
    status = asked.text("status").replace(ANY, "")
    return FindingFilter(**exact, status=status, text=asked.text("q"), order=asked.text("order") or ORDERS[0])


def matching(rows: list[Row], wanted: FindingFilter) -> list[Row]:
    """The rows of a line that follows Git, filtered and sorted as finding_page does it in the database."""
    exact = {
        "severity": wanted.severity,
        "status": wanted.status,
        "framework": wanted.framework,
        "check_id": wanted.check,
    }
    part = wanted.text.lower()
    found = [
        row for row in rows
        if all(not value or row[name] == value for name, value in exact.items())
        and names(wanted.path, row["file_path"])
        and any(part in str(row[name]).lower() for name in ("check_id", "check_name", "file_path", "resource"))
    ]  # fmt: skip
    return sorted(found, key=_SORTED[wanted.order]) if wanted.order != "file" else found


_SORTED: Mapping[str, Callable[[Row], Any]] = {
    "severity": lambda row: SEVERITY_RANK[row["severity"]],
    "age": lambda row: (-(row["age_days"] or 0), SEVERITY_RANK[row["severity"]]),
}
"""A stable sort: equal ones stay in the order of their files."""
