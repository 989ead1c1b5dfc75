"""The life of findings: who introduced, moved, hid, fixed and reopened them, and when they were in production."""

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from infraaudit_assets.domain.deployments import Outcome
from resources.history import schema
from resources.history.database import translated
from resources.history.lifecycles import Line
from resources.history.queries.frames import commits_named, committed_at, frame

if TYPE_CHECKING:
    import pandas as pd

BLAME_COLUMNS = (
    "life", "id", "severity", "check_id", "check_name", "file_path", "resource", "event", "cause", "commit", "at",
    "author", "subject", "live_from", "live_to",
)  # fmt: skip


def blame(
    line: Line,
    environment: str,
    finding: str | None = None,
    check: str | None = None,
    path: str | None = None,
) -> "pd.DataFrame":
    """Every event in the lives of the findings asked for, one row each, oldest first.

    ``finding`` is (the beginning of) an id or a life; every span of a life that matches anywhere is told.
    ``live_from`` and ``live_to`` are when a deployed commit had the span's finding.
    """
    spans = _spans(line, finding, check, path)
    places = {place for span in spans for place in (span["start_position"], span["end_position"]) if place is not None}
    commits = commits_named(line.history, line.project, (line.shas[place] for place in places))
    deployed = _deployed(line, environment)
    rows = []
    for span in spans:
        live = _live(span, deployed)
        rows.append(_event(line, commits, span, span["started_as"], span["start_cause"], span["start_position"]) | live)
        if span["ended_as"] == "fixed":
            rows.append(_event(line, commits, span, "fixed", span["end_cause"], span["end_position"]))
    return frame(BLAME_COLUMNS, sorted(rows, key=lambda row: (row["first"], row["life"], row["position"])))


def _spans(line: Line, finding: str | None, check: str | None, path: str | None) -> list[sa.RowMapping]:
    table = schema.spans
    of_line = (table.c.project == line.project) & (table.c.branch == line.branch)
    wanted = of_line
    if finding is not None:
        wanted &= table.c.fingerprint.startswith(finding, autoescape=True) | table.c.life.startswith(
            finding, autoescape=True
        )
    if check is not None:
        wanted &= table.c.check_id == check
    if path is not None:
        wanted &= table.c.file_path == path
    chosen = sa.select(table.c.life).where(wanted)
    query = sa.select(table).where(of_line, table.c.life.in_(chosen)).order_by(table.c.start_position)
    with translated(line.history.engine), line.history.engine.connect().execution_options(read_only=True) as connection:
        return list(connection.execute(query).mappings())


def _event(
    line: Line, commits: dict[str, sa.RowMapping], span: sa.RowMapping, event: str, cause: str, position: int
) -> dict[str, Any]:
    sha = line.shas[position]
    commit = commits.get(sha)
    names = ("life", "severity", "check_id", "check_name", "file_path", "resource")
    return {name: span[name] for name in names} | {
        "id": span["fingerprint"],
        "event": event,
        "cause": cause,
        "commit": sha,
        "at": committed_at(commits, sha),
        "author": commit["author_name"] if commit else None,
        "subject": commit["subject"] if commit else None,
        "first": span["introduced_position"],
        "position": position,
    }


def _deployed(line: Line, environment: str) -> list[tuple[int, Any]]:
    """Positions of the commits that were put in place, with the time, oldest first."""
    table = schema.deployments
    query = (
        sa.select(table.c.sha, table.c.finished_at)
        .where(table.c.project == line.project, table.c.environment == environment)
        .where(table.c.outcome == Outcome.DEPLOYED.value)
        .order_by(table.c.id)
    )
    places = {sha: place for place, sha in enumerate(line.shas)}
    with translated(line.history.engine), line.history.engine.connect().execution_options(read_only=True) as connection:
        return [(places[sha], at) for sha, at in connection.execute(query) if sha in places]


def _live(span: sa.RowMapping, deployed: list[tuple[int, Any]]) -> dict[str, str | None]:
    start, end = None, None
    for place, at in deployed:
        within = span["start_position"] <= place and (span["end_position"] is None or place < span["end_position"])
        if within:
            start, end = start or at, None
        elif start is not None and end is None:
            end = at
    return {"live_from": start.isoformat() if start else None, "live_to": end.isoformat() if end else None}
