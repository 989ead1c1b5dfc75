"""The files that a filter names, as a condition of a query: see infraaudit_domain/reporting/path_filters.py."""

import sqlalchemy as sa

from infraaudit_domain.reporting.path_filters import expression_of


def path_is(column: sa.ColumnElement[str], path: str) -> list[sa.ColumnElement[bool]]:
    """The conditions under which a column names one of these files; none for an empty filter."""
    if pattern := expression_of(path):
        return [column.regexp_match(pattern)]
    folder = path.strip("/")
    # Not LIKE, for which SQLite takes a letter and its capital for the same.
    inside = sa.func.substr(column, 1, len(folder) + 1) == f"{folder}/"
    return [(column == folder) | inside] if folder else []
