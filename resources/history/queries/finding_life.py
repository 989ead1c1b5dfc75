"""The lifecycle of one finding: as it was last seen, its events, and the periods in which it was live."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.scans.findings import FindingStatus
from resources.history import schema
from resources.history.queries.environments import environments
from resources.history.queries.lives import healthy_deployments, life_events, spans_of_lives
from resources.history.stored_line import StoredLine


@dataclass(frozen=True, slots=True)
class FindingLife:
    finding: dict[str, Any]
    """As it was last seen, in the commit ``seen_in``."""
    events: list[dict[str, Any]]
    live: list[dict[str, Any]]
    """environment, live_from, live_to; ``live_to`` is None while it is live."""


def finding_life(line: StoredLine, fingerprint: str) -> FindingLife | None:
    """The lifecycle of one finding along the line, through renames and reopenings; None where it is unknown."""
    spans = spans_of_lives(line, fingerprint)
    if not spans:
        return _beside_the_line(line, fingerprint)
    newest = max((span for span in spans if span["fingerprint"] == fingerprint), key=lambda s: s["start_position"])
    last = len(line.shas) - 1 if newest["end_position"] is None else newest["end_position"] - 1
    names = [name for project, name in environments(line.history) if project == line.project]
    live = [stint for name in names for stint in _stints(line, name, spans)]
    begun = dict(newest) | {"seen_in": line.shas[newest["start_position"]]}
    return FindingLife(_seen(line, fingerprint, last) or begun, life_events(line, "", fingerprint), live)


def _seen(line: StoredLine, fingerprint: str, last: int) -> dict[str, Any] | None:
    """A finding as the newest scan up to a position has it: a span keeps the line numbers of where it began."""
    parts, f, lines = schema.scan_parts, schema.findings, schema.line_commits
    query = (
        sa.select(f, lines.c.sha.label("seen_in"))
        .select_from(lines)
        .join(parts, (parts.c.project == lines.c.project) & (parts.c.sha == lines.c.sha))
        .join(f, (f.c.scan_key == parts.c.scan_key) & (f.c.fingerprint == fingerprint))
        .where(line.is_in(lines), lines.c.position <= last)
        .order_by(lines.c.position.desc())
        .limit(1)
    )
    return next((dict(row) for row in line.history.rows(query)), None)


def _beside_the_line(line: StoredLine, fingerprint: str) -> FindingLife | None:
    parts, f = schema.scan_parts, schema.findings
    same = (f.c.scan_key == parts.c.scan_key) & (f.c.fingerprint == fingerprint)
    query = (
        sa.select(f, parts.c.sha.label("seen_in"))
        .select_from(parts)
        .join(f, same)
        .where(parts.c.project == line.project)
        .limit(1)
    )
    return next((FindingLife(dict(row), [], []) for row in line.history.rows(query)), None)


def _stints(line: StoredLine, environment: str, spans: list[sa.RowMapping]) -> list[dict[str, Any]]:
    """The periods during which a deployed commit had one of the spans open."""
    stints: list[dict[str, Any]] = []
    for one in healthy_deployments(line, environment):
        has_it = any(span["status"] == FindingStatus.OPEN and one.has(span) for span in spans)
        running = stints and stints[-1]["live_to"] is None
        if has_it and not running:
            stints.append({"environment": environment, "live_from": one.at, "live_to": None})
        elif running and not has_it:
            stints[-1]["live_to"] = one.at
    return stints
