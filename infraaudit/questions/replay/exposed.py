"""The answers to "exposed": was a check's finding ever live, where, since when until when, and by whom.

It reads whatever line it is given: the stored one, or one that only has what was live scanned for a rule
(infraaudit/scans/scan_live.py). What no scan of now's scanner has read is unknown, and never "not exposed"; nor is what
a commit hid itself, by a comment or its own Checkov file: the resource was live as the check objects to it.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from infraaudit.questions.asked import Asked, Page, Row
from infraaudit_domain.errors import ConfigurationError, NotThereError
from infraaudit_domain.reporting.columns import HIDDEN_IN_CODE
from infraaudit_domain.scans.evidence import RULES
from infraaudit_domain.scans.findings import FindingStatus, ScanStatus
from resources.checkov.versions import scanner_version
from resources.history import schema
from resources.history.queries.exposure import exposure
from resources.history.queries.frames import commits_named, records
from resources.history.queries.live_commits import Spell, spells
from resources.history.queries.lives import life_events
from resources.history.queries.ranges import stands_unread
from resources.history.stored_line import StoredLine

_BOTH = (FindingStatus.OPEN, FindingStatus.SUPPRESSED)


def exposed(asked: Asked) -> Page:
    """One row for each finding of the check that was ever live, open or hidden in code, in each environment; the longest
    exposed first.

    Then one for each period of which it is not known: without those, "nothing found" would read as "not exposed".
    """
    check, names = _check(asked), asked.environments()
    rows = [row for name in names for row in _findings(asked, name, check)]
    unknown = [_unknown(row, check) for name in names for row in _spells(asked, name, check) if row["reason"]]
    return asked.cut([*sorted(rows, key=lambda row: -row["hours_exposed"]), *unknown])


def exposed_commits(asked: Asked) -> Page:
    """One row for each period of a commit that was live, newest first: exposed, not, or unknown, and why."""
    check = _check(asked)
    return asked.cut([row for name in asked.environments() for row in _spells(asked, name, check)])


def _check(asked: Asked) -> str:
    check = asked.text("check")
    if not check:
        raise ConfigurationError("Which check? Give one, for example CKV_AWS_24.")
    rated, found, stored = schema.severities, schema.spans, schema.findings
    known = (sa.select(table.c.check_id).where(table.c.check_id == check).limit(1) for table in (rated, found, stored))
    if not any(asked.history.rows(query) for query in known):
        raise NotThereError(
            f"{check} is not known here: no stored scan reported it, and the severities do not list it. Is it misspelt? A"
            " check that only Checkov knows has to be in the severities first; `infraaudit doctor` names their file."
        )
    return check


def _findings(asked: Asked, environment: str, check: str) -> Iterable[Row]:
    born: dict[str, dict[str, Any]] = {}
    lives: dict[str, str] = {}
    for event in life_events(asked.line, environment, check=check):
        born.setdefault(event["life"], event)
        lives[event["id"]] = event["life"]
    for state, status in zip(("exposed", HIDDEN_IN_CODE), _BOTH, strict=True):
        for row in records(exposure(asked.line, environment, asked.now, status)):
            if row["check_id"] == check:
                event = born.get(lives.get(row["id"], ""), {})
                names = {"introduced_after": event.get("after"), "author": event.get("author")}
                yield {"environment": environment, "state": state} | row | names


def _unknown(row: Row, check: str) -> Row:
    """A period whose commit was not read for the check, or not all of it."""
    names = ("environment", "live_from", "live_to", "live_now", "reason")
    return {name: row[name] for name in names} | {"state": "unknown", "check_id": check, "commit": row["sha"]}


@dataclass(frozen=True, slots=True)
class _Known:
    """What the scan of a commit says of a check."""

    findings: int
    hidden: int = 0
    """Findings that the commit hid itself."""
    reason: str = ""
    """Why it does not say enough."""

    @property
    def state(self) -> str:
        if self.findings:
            return "yes"
        return HIDDEN_IN_CODE if self.hidden else "unknown" if self.reason else "no"


def _spells(asked: Asked, environment: str, check: str) -> list[Row]:
    past = spells(asked.line, environment)[::-1]
    known = _known(asked.line, past, check)
    named = commits_named(asked.history, asked.project, known)
    live = past[0].sha if past else ""
    return [_row(asked, environment, spell, known[spell.sha], named.get(spell.sha), live) for spell in past]


def _row(asked: Asked, environment: str, spell: Spell, known: _Known, commit: sa.RowMapping | None, live: str) -> Row:
    return {
        "environment": environment,
        "sha": spell.sha,
        "subject": commit["subject"] if commit else None,
        "author": commit["author_name"] if commit else None,
        "live_from": spell.start.isoformat(),
        "live_to": spell.end.isoformat() if spell.end else None,
        "hours": round(spell.seconds(asked.now) / 3600, 2),
        "live_now": spell.end is None,
        "exposed": known.state,
        "findings": known.findings,
        "hidden": known.hidden,
        "rollback": "live" if spell.sha == live else _TARGETS[known.state],
        "reason": known.reason or None,
    }


_TARGETS = {"yes": "unsafe", HIDDEN_IN_CODE: "unsafe", "no": "safe", "unknown": "unknown"}
"""What going back to a commit would be, by whether it has the finding."""


def _known(line: StoredLine, past: Sequence[Spell], check: str) -> dict[str, _Known]:
    shas = {spell.sha for spell in past}
    scans, gaps, positions = _scans(line, shas), _gaps(line, shas), line.positions()
    spans = {status: _spans_of(line, check, status) for status in _BOTH}
    beside = {status: _beside(line, shas - positions.keys(), check, status) for status in _BOTH}
    found: dict[str, _Known] = {}
    for sha in shas:
        unread = {status: _standing(line, sha, positions, check, gaps[sha], status) for status in _BOTH}
        scan, position = scans.get(sha), positions.get(sha)
        numbers = {
            status: beside[status][sha] if position is None else _at(position, spans[status]) - unread[status]
            for status in _BOTH
        }
        is_usable = scan is not None and scan["status"] != ScanStatus.FAILED
        stood, hidden = (numbers[status] if is_usable else 0 for status in _BOTH)
        found[sha] = _Known(stood, hidden, _doubt(scan, gaps[sha], unread[FindingStatus.OPEN]))
    return found


def _at(position: int, spans: Iterable[tuple[int, float]]) -> int:
    return sum(start <= position < end for start, end in spans)


def _spans_of(line: StoredLine, check: str, status: FindingStatus) -> list[tuple[int, float]]:
    """From which position to which each finding of the check had a status; they outlast what is pruned."""
    table = schema.spans
    wanted = line.is_in(table) & (table.c.check_id == check) & (table.c.status == status.value)
    query = sa.select(table.c.start_position, table.c.end_position).where(wanted)
    ends = ((row["start_position"], row["end_position"]) for row in line.history.rows(query))
    return [(start, math.inf if end is None else end) for start, end in ends]


def _doubt(scan: sa.RowMapping | None, gaps: Sequence[str], standing: int) -> str:
    if scan is None:
        return "it has not been scanned for this"
    if scan["status"] == ScanStatus.FAILED:
        return "its scan failed"
    if scan["scanner_version"] == scanner_version() and scan["rules"] != RULES:
        return f"its scan was read by version {scan['rules']} of InfraAudit's rules, and not by version {RULES}"
    if scan["scanner_version"] != scanner_version():
        return f"it was scanned by {scan['scanner_version']}, and not by {scanner_version()}"
    if gaps:
        more = f", and {len(gaps) - 3} more" if len(gaps) > 3 else ""
        stood = f"; {standing} stood there before" if standing else ""
        return f"not read: {'; '.join(gaps[:3])}{more}{stood}"
    return ""


def _beside(line: StoredLine, shas: set[str], check: str, status: FindingStatus) -> Mapping[str, int]:
    """The findings of commits that are not on the line."""
    if not shas:
        return defaultdict(int)
    parts, f = schema.scan_parts, schema.findings
    query = (
        sa.select(parts.c.sha, sa.func.count().label("n"))
        .join(f, f.c.scan_key == parts.c.scan_key)
        .where(parts.c.project == line.project, f.c.check_id == check, f.c.status == status.value)
        .group_by(parts.c.sha)
    )
    return defaultdict(int, {row["sha"]: row["n"] for row in line.history.rows(query) if row["sha"] in shas})


def _scans(line: StoredLine, shas: set[str]) -> Mapping[str, sa.RowMapping]:
    table = schema.scans
    query = sa.select(table.c.sha, table.c.status, table.c.scanner_version, table.c.rules)
    rows = line.history.rows(query.where(table.c.project == line.project))
    return {row["sha"]: row for row in rows if row["sha"] in shas}


def _gaps(line: StoredLine, shas: set[str]) -> Mapping[str, list[str]]:
    parts, results = schema.scan_parts, schema.framework_scans
    has_gaps = (results.c.status != ScanStatus.COMPLETE.value) | (sa.cast(results.c.unreadable, sa.Text) != "[]")
    query = (
        sa.select(parts.c.sha, results.c.framework, results.c.status, results.c.unreadable, results.c.reason)
        .join(results, results.c.scan_key == parts.c.scan_key)
        .where(parts.c.project == line.project, has_gaps)
        .order_by(results.c.framework)
    )
    found = defaultdict[str, list[str]](list)
    for row in line.history.rows(query):
        if row["sha"] in shas:
            failed = row["status"] == ScanStatus.FAILED
            paths = [f"all of {row['framework']}"] if failed else [file["path"] for file in row["unreadable"]]
            found[row["sha"]] += [path for path in paths if path not in found[row["sha"]]]
    return found


def _standing(
    line: StoredLine, sha: str, positions: Mapping[str, int], check: str, gaps: Sequence[str], status: FindingStatus
) -> int:
    """How many findings of the check stood in what the commit's scan did not read."""
    if not gaps or sha not in positions:
        return 0
    span = schema.spans
    unread = stands_unread(line.history, line.project, sha, span, positions[sha])
    wanted = line.is_in(span) & unread & (span.c.check_id == check) & (span.c.status == status.value)
    return len(line.history.rows(sa.select(span.c.life).where(wanted)))
