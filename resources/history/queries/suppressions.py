"""Who hid which finding, when, why and until when: comments in the code, the project's own file, and triage."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from infraaudit_domain.judging.ages import Certainty
from infraaudit_domain.judging.suppressions import Suppression
from infraaudit_domain.reporting.columns import SUPPRESSION_COLUMNS
from infraaudit_domain.scans.findings import Finding, FindingStatus
from infraaudit_domain.scans.hidings import CONFIGURATION
from resources.history import schema
from resources.history.queries.frames import commits_named, committed_at, frame
from resources.history.queries.ranges import event_range
from resources.history.rows import finding_of
from resources.history.stored_line import StoredLine

if TYPE_CHECKING:
    import pandas as pd


def suppressions_of(line: StoredLine, declared: Sequence[Suppression], live: str | None, day: date) -> "pd.DataFrame":
    """Suppressions as a table; see :func:`suppression_rows`."""
    return frame(SUPPRESSION_COLUMNS, suppression_rows(line, declared, live, day))


def suppression_rows(
    line: StoredLine, declared: Sequence[Suppression], live: str | None, day: date
) -> list[dict[str, Any]]:
    """One row for each finding that a suppression hides or hid, and one for each entry or decision without a finding.

    ``source`` is code (a comment), configuration (the commit's Checkov file), file (ours) or triage. ``state`` is active;
    ended (the comment is gone, or the finding, or it was undone); expired; planned (not begun yet); unused (an entry that matches nothing at
    the head). ``live`` says whether the finding is in the commit ``live``. The ``owner`` of a comment is the author of
    the commit that wrote it, None where that is not known: ``commit`` is then the first that is known to have it.
    """
    spans = _spans(line)
    position = line.positions().get(live or "", -1)
    return [*_in_code(line, spans, position), *_in_file(spans, declared, position, day)]


def _in_code(line: StoredLine, spans: Sequence[sa.RowMapping], live: int) -> list[dict[str, Any]]:
    hidden = [span for span in spans if span["status"] == FindingStatus.SUPPRESSED]
    begun = [event_range(line.shas, s["start_position"], s["start_after"], s["start_sha"]) for s in hidden]
    gone = {line.shas[span["end_position"]] for span in hidden if span["end_position"] is not None}
    commits = commits_named(line.history, line.project, gone | {known["commit"] for known in begun})
    rows = []
    for span, known in zip(hidden, begun, strict=True):
        commit, end = commits.get(known["commit"]), span["end_position"]
        rows.append(
            _row(finding_of(span), span, live)
            | known
            | {
                "source": CONFIGURATION if span["suppressed_by"] == CONFIGURATION else "code",
                "state": "active" if end is None else "ended",
                "reason": span["suppression_reason"],
                "owner": commit["author_name"] if commit and known["certainty"] == Certainty.EXACT else None,
                "since": committed_at(commits, known["commit"]),
                "until": None if end is None else committed_at(commits, line.shas[end]),
            }
        )
    return rows


def _in_file(
    spans: Sequence[sa.RowMapping], declared: Sequence[Suppression], live: int, day: date
) -> list[dict[str, Any]]:
    still_open = [(finding_of(s), s) for s in spans if s["status"] == FindingStatus.OPEN and s["end_position"] is None]
    rows: list[dict[str, Any]] = []
    for one in declared:
        about = {
            "source": one.source.value,
            "kind": one.kind.value,
            "by": one.by or None,
            "state": _state(one, day),
            "reason": one.reason,
            "owner": one.owner,
            "since": one.since.isoformat() if one.since else None,
            "until": (one.ended or one.expires).isoformat(),
        }
        matched = [(finding, span) for finding, span in still_open if one.matches(finding)]
        rows += [_row(finding, span, live) | about for finding, span in matched]
        if not matched:
            named = {"check_id": one.check, "file_path": one.path, "resource": one.resource, "id": one.shown_id}
            rows.append(named | about | {"state": "ended" if one.ended else "unused", "live": False})
    return rows


def _state(one: Suppression, day: date) -> str:
    if one.ended is not None:
        return "ended"
    if one.counts_on(day):
        return "active"
    return "expired" if one.expires < day else "planned"


def _row(finding: Finding, span: sa.RowMapping, live: int) -> dict[str, Any]:
    end = span["end_position"]
    names = ("check_id", "file_path", "resource")
    return {name: getattr(finding, name) for name in names} | {
        "id": finding.fingerprint,
        "severity": finding.severity.value,
        "live": span["start_position"] <= live and (end is None or live < end),
    }


def _spans(line: StoredLine) -> Sequence[sa.RowMapping]:
    table = schema.spans
    wanted = (table.c.status == FindingStatus.SUPPRESSED.value) | table.c.end_position.is_(None)
    query = sa.select(table).where(line.is_in(table), wanted).order_by(table.c.start_position, table.c.fingerprint)
    with line.history.reading() as connection:
        return connection.execute(query).mappings().all()
