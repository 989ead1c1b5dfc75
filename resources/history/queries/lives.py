"""Lifecycles of findings: who introduced, moved, hid, fixed and reopened them, and when they were in production."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.judging.ages import Certainty
from infraaudit_domain.reporting.columns import BLAME_COLUMNS
from resources.history import schema
from resources.history.queries.beside_the_line import Live, open_findings
from resources.history.queries.frames import commits_named, committed_at, frame
from resources.history.queries.paths import path_is
from resources.history.queries.ranges import event_range
from resources.history.stored_line import StoredLine

if TYPE_CHECKING:
    import pandas as pd


_WHOLE_ID = 32
"""Hex digits of an id; one given whole is looked up in an index."""


def blame(
    line: StoredLine,
    environment: str,
    finding: str | None = None,
    check: str | None = None,
    path: str | None = None,
) -> "pd.DataFrame":
    """Every event in the lifecycles of the findings asked for, one row each, oldest first; see :func:`life_events`."""
    return frame(BLAME_COLUMNS, life_events(line, environment, finding, check, path))


def life_events(
    line: StoredLine,
    environment: str,
    finding: str | None = None,
    check: str | None = None,
    path: str | None = None,
) -> list[dict[str, Any]]:
    """Every event in the lifecycles of the findings asked for, oldest first.

    ``finding`` is (the beginning of) the id of a finding or lifecycle; where any span matches, its whole lifecycle is
    listed. ``live_from`` and ``live_to`` are when a deployed commit had the span's finding.
    """
    spans = spans_of_lives(line, finding, check, path)
    commits = commits_named(line.history, line.project, _named(line, spans))
    deployed = healthy_deployments(line, environment)
    rows = []
    paths = {(span["life"], span["end_position"]): span["file_path"] for span in spans}
    for span in spans:
        if span["started_as"] in ("suppressed", "unsuppressed") and _is_elsewhere(span, paths):
            rows.append(_event(line, commits, span, "start", "moved") | _live(span, []))
        rows.append(_event(line, commits, span, "start", span["started_as"]) | _live(span, deployed))
        if span["ended_as"] == "fixed":
            rows.append(_event(line, commits, span, "end", "fixed"))
    return sorted(rows, key=lambda row: (row["first"], row["life"], row["position"]))


def _is_elsewhere(span: sa.RowMapping, paths: Mapping[tuple[str, int], str]) -> bool:
    """Whether what changed the status of a finding moved it to another file too."""
    before = paths.get((span["life"], span["start_position"]))
    return before is not None and before != str(span["file_path"])


def _named(line: StoredLine, spans: Sequence[sa.RowMapping]) -> set[str]:
    positions = {span[name] for span in spans for name in ("start_position", "end_position")} - {None}
    brought = {span[name] for span in spans for name in ("start_sha", "end_sha")} - {None}
    return brought | {line.shas[position] for position in positions}


def spans_of_lives(
    line: StoredLine, finding: str | None = None, check: str | None = None, path: str | None = None
) -> list[sa.RowMapping]:
    """All spans of every lifecycle with a matching span, in the order of commits."""
    table = schema.spans
    wanted = of_line = line.is_in(table)
    if finding is not None and len(finding) == _WHOLE_ID:
        wanted &= (table.c.fingerprint == finding) | (table.c.life == finding)
    elif finding is not None:
        wanted &= table.c.fingerprint.startswith(finding, autoescape=True) | table.c.life.startswith(
            finding, autoescape=True
        )
    if check is not None:
        wanted &= table.c.check_id == check
    chosen = sa.select(table.c.life).where(wanted, *path_is(table.c.file_path, path or ""))
    query = sa.select(table).where(of_line, table.c.life.in_(chosen)).order_by(table.c.start_position)
    with line.history.reading() as connection:
        return list(connection.execute(query).mappings())


def _event(
    line: StoredLine, commits: Mapping[str, sa.RowMapping], span: sa.RowMapping, side: str, event: str
) -> dict[str, Any]:
    """``side`` is which end of the span it is: start or end."""
    position = span[f"{side}_position"]
    known = event_range(line.shas, position, span[f"{side}_after"], span[f"{side}_sha"])
    commit = commits.get(known["commit"])
    # Who made the first commit that is known to have it need not be whose doing it was.
    author = commit["author_name"] if commit and known["certainty"] == Certainty.EXACT else None
    names = ("life", "severity", "check_id", "check_name", "file_path", "resource", "line_start", "suppression_reason")
    return (
        {name: span[name] for name in names}
        | known
        | {
            "id": span["fingerprint"],
            "event": event,
            "cause": span[f"{side}_cause"],
            "at": committed_at(commits, known["commit"]),
            "author": author,
            "subject": commit["subject"] if commit else None,
            "first": span["introduced_position"],
            "position": position,
        }
    )


def healthy_deployments(line: StoredLine, environment: str) -> list[Live]:
    """What was deployed and healthy, oldest first."""
    table = schema.deployments
    query = (
        sa.select(table.c.sha, table.c.finished_at)
        .where(table.c.project == line.project, table.c.environment == environment)
        .where(table.c.outcome == Outcome.DEPLOYED.value)
        .order_by(table.c.id)
    )
    positions = line.positions()
    rows = line.history.rows(query)
    beside = open_findings(line, {row["sha"] for row in rows if row["sha"] not in positions})
    return [Live(positions.get(row["sha"]), frozenset(beside.get(row["sha"], ())), row["finished_at"]) for row in rows]


def _live(span: sa.RowMapping, deployed: Sequence[Live]) -> dict[str, str | None]:
    start, end = None, None
    for one in deployed:
        if one.has(span):
            start, end = start or one.at, None
        elif start is not None and end is None:
            end = one.at
    return {"live_from": start.isoformat() if start else None, "live_to": end.isoformat() if end else None}
