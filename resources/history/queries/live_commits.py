"""What was live in an environment from when to when, and whether it was scanned and tested."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.reporting.columns import LIVE_COLUMNS
from infraaudit_domain.scans.findings import ScanStatus
from resources.history import schema
from resources.history.queries.frames import frame
from resources.history.stored_line import StoredLine

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Spell:
    """A period during which one commit was live."""

    sha: str
    position: int
    """Its position on the line; -1 for a commit that is not on it."""
    start: datetime
    end: datetime | None

    def seconds(self, now: datetime) -> float:
        return max(0.0, ((self.end or now) - self.start).total_seconds())


def spells(line: StoredLine, environment: str) -> list[Spell]:
    """The commits that were live in an environment, with their periods, oldest first; redeploying a commit continues
    its spell."""
    table = schema.deployments
    query = (
        sa.select(table.c.sha, table.c.finished_at)
        .where(table.c.project == line.project, table.c.environment == environment)
        .where(table.c.outcome == Outcome.DEPLOYED.value)
        .order_by(table.c.id)
    )
    with line.history.reading() as connection:
        rows = connection.execute(query).all()
    if not rows:
        return []
    changes = [row for index, row in enumerate(rows) if index == 0 or rows[index - 1].sha != row.sha]
    positions = line.positions()
    ends = [*(row.finished_at for row in changes[1:]), None]
    return [
        Spell(row.sha, positions.get(row.sha, -1), row.finished_at, end) for row, end in zip(changes, ends, strict=True)
    ]


def live_commits(line: StoredLine, environment: str, now: datetime) -> "pd.DataFrame":
    """What was live as a table; see :func:`live_commit_rows`."""
    return frame(LIVE_COLUMNS, live_commit_rows(line, environment, now))


def live_commit_rows(line: StoredLine, environment: str, now: datetime) -> list[dict[str, Any]]:
    """One row for each period during which a commit was live, with whether it was scanned and tested."""
    past = spells(line, environment)
    scans, tests = _scan_states(line, [spell.sha for spell in past]), _test_states(line, [spell.sha for spell in past])
    rows: list[dict[str, Any]] = []
    before = -1
    for spell in past:
        hours = round(spell.seconds(now) / 3600, 2)
        scan, tested = scans.get(spell.sha, "none"), tests.get(spell.sha, "none")
        rows.append(
            {
                "sha": spell.sha,
                "live_from": spell.start.isoformat(),
                "hours": hours,
                "scan": scan,
                "tests": tested,
                "live_to": spell.end.isoformat() if spell.end else None,
                "rollback": 0 <= spell.position < before,
                "unscanned_hours": 0.0 if scan == ScanStatus.COMPLETE else hours,
                "untested_hours": 0.0 if tested == "passed" else hours,
            }
        )
        before = spell.position
    return rows


def _scan_states(line: StoredLine, shas: Sequence[str]) -> dict[str, str]:
    table = schema.scans
    query = sa.select(table.c.sha, table.c.status).where(table.c.project == line.project)
    with line.history.reading() as connection:
        found = {row.sha: row.status for row in connection.execute(query)}
    return {sha: found[sha] for sha in shas if sha in found}


def _test_states(line: StoredLine, shas: Sequence[str]) -> dict[str, str]:
    table = schema.test_runs
    bad = (table.c.failed > 0) | (table.c.errors > 0) | (table.c.passed == 0) | (table.c.reason != "")
    query = sa.select(table.c.sha, bad.label("bad")).where(table.c.project == line.project)
    with line.history.reading() as connection:
        found = {row.sha: "failed" if row.bad else "passed" for row in connection.execute(query)}
    return {sha: found[sha] for sha in shas if sha in found}
