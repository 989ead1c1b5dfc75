"""Rate what is stored by the severities of now: a new rating counts for the whole past.

The rating stands in the rows, so that every query filters and groups by it; it is brought in step whenever a history is
opened with a file that says something else than the last one. Deliberately absent: reading the file.
"""

from collections.abc import Mapping

import sqlalchemy as sa

from infraaudit_domain.findings import Finding, Severity
from resources.history import schema
from resources.history.access import Access


def rate(history: Access, severities: Mapping[str, Severity]) -> bool:
    """Rate every stored finding anew where the severities changed; returns whether they did."""
    table = schema.severities
    wanted = {check_id: severity.value for check_id, severity in severities.items()}
    with history.reading() as connection:
        if _stored(connection) == wanted:
            return False
    with history.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE severities IN EXCLUSIVE MODE"))
        connection.execute(table.delete())
        rows = [{"check_id": check_id, "severity": severity} for check_id, severity in wanted.items()]
        if rows:
            connection.execute(table.insert(), rows)
        for rated in (schema.findings, schema.spans):
            found = sa.select(table.c.severity).where(table.c.check_id == rated.c.check_id).scalar_subquery()
            severity = sa.func.coalesce(found, Severity.UNKNOWN.value)
            connection.execute(rated.update().where(rated.c.severity != severity).values(severity=severity))
    return True


def hold_ratings(connection: sa.Connection) -> None:
    """Keep the ratings as they are until this transaction has written its findings."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE severities IN ROW SHARE MODE"))


def ratings(connection: sa.Connection, findings: tuple[Finding, ...]) -> dict[str, str]:
    """The severity of each check among some findings; their own where the history was never rated."""
    own = {finding.check_id: finding.severity.value for finding in findings}
    if not own or connection.execute(sa.select(schema.severities.c.check_id).limit(1)).first() is None:
        return own
    table = schema.severities
    query = sa.select(table.c.check_id, table.c.severity).where(table.c.check_id.in_(own))
    known = {row.check_id: row.severity for row in connection.execute(query)}
    return {check_id: known.get(check_id, Severity.UNKNOWN.value) for check_id in own}


def _stored(connection: sa.Connection) -> dict[str, str]:
    table = schema.severities
    return {row.check_id: row.severity for row in connection.execute(sa.select(table.c.check_id, table.c.severity))}
