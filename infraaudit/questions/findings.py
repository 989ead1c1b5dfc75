"""Which findings stand at a commit, since when and since which commit; and what differs between two commits."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from infraaudit.scans.ages import age_of_span, opening_commits
from infraaudit.scans.cross_scans import cross_scan
from infraaudit.scans.lifecycles import Line
from infraaudit.scans.moved_blocks import moves_between
from infraaudit_domain.errors import NotScannedError
from infraaudit_domain.judging.suppressions import Suppression, hide, hide_in
from infraaudit_domain.lifecycles.changes import cause_of_move, compare_scans, follow
from infraaudit_domain.lifecycles.spans import Span
from infraaudit_domain.reporting.columns import COMPARE_COLUMNS, FINDING_COLUMNS
from infraaudit_domain.reporting.order import worst_first
from infraaudit_domain.scans.findings import Finding, Scan
from resources.history import schema
from resources.history.queries.frames import commits_named, committed_at, frame
from resources.history.queries.ranges import event_range

if TYPE_CHECKING:
    import pandas as pd


def findings_at(
    line: Line, sha: str, now: datetime, since: str | None = None, suppressions: Sequence[Suppression] = ()
) -> "pd.DataFrame":
    """The findings that stand at a commit, as a table; see :func:`finding_rows`."""
    return frame(FINDING_COLUMNS, finding_rows(line, sha, now, since, suppressions))


def finding_rows(
    line: Line, sha: str, now: datetime, since: str | None = None, suppressions: Sequence[Suppression] = ()
) -> list[dict[str, Any]]:
    """The findings that stand at a commit; with ``since``, those that did not stand at that commit.

    ``opened_by`` is the commit that introduced a finding, or last reopened it; the age counts from there. What a
    suppression hides today is suppressed. Raises NotScannedError where the commit was never scanned.
    """
    _scanned(line, sha)
    path, spans = line.standing(sha)
    if since is not None:
        _scanned(line, since)
        lives = {span.life for span in line.standing(since)[1]}
        spans = [span for span in spans if span.life not in lives]
    lines = _current(line, sha)
    named = {path[p] for s in spans for p in (s.introduced, s.opened)} | {s.introduced_sha for s in spans}
    commits = commits_named(line.history, line.project, {*opening_commits(path, spans), *filter(None, named)})
    return [_row(span, path, lines, commits, now, suppressions) for span in spans]


def compare(
    line: Line, before: str, after: str, suppressions: Sequence[Suppression] = (), day: date = date.min
) -> "pd.DataFrame":
    """What two commits' scans differ in, as a table; see :func:`compare_rows`."""
    return frame(COMPARE_COLUMNS, compare_rows(line, before, after, suppressions, day))


def compare_rows(
    line: Line, before: str, after: str, suppressions: Sequence[Suppression] = (), day: date = date.min
) -> list[dict[str, Any]]:
    """What two commits' scans differ in: added, removed, moved; and whether code, config or scanner may be why.

    ``perhaps added`` is in a file that the earlier scan did not read, ``not read`` in one that the later did not. What a
    suppression hides on the day is in neither.
    """
    then, now = (hide_in(_scanned(line, sha), suppressions, day) for sha in (before, after))
    renames, cross = line.mirror.renames(before, after), cross_scan(line.history, line.project, before, after)
    changes = compare_scans(then, now, renames, cross, moves_between(line.mirror, before, after))
    why = changes.causes
    hidden = {finding.fingerprint: finding for finding in now.findings if not finding.is_open}

    def cause_of_removal(finding: Finding) -> str:
        still_there = hidden.get(follow(finding, renames).fingerprint)
        if still_there is not None:
            return why.of_presence(still_there.fingerprint, still_there.status)
        return why.of_absence(finding.fingerprint)

    rows = [_changed("added", why.of_presence(f.fingerprint, f.status), f) for f in changes.new]
    rows += [_changed("removed", cause_of_removal(f), f) for f in changes.fixed]
    rows += [_changed("moved", cause_of_move(old, new), new) for old, new in changes.moved]
    rows += [_changed("perhaps added", why.of_presence(f.fingerprint, f.status), f) for f in changes.perhaps_new]
    rows += [_changed("not read", why.of_absence(f.fingerprint), f) for f in changes.unread]
    return sorted(rows, key=lambda row: (_CHANGES.index(row["change"]), *worst_first(row)))


_CHANGES = ("added", "removed", "moved", "perhaps added", "not read")


def not_scanned(project: str, sha: str) -> NotScannedError:
    """The error that says so, and what to run."""
    if not sha:
        return NotScannedError(
            f"No commit of {project} has been scanned. Run: infraaudit scan --project {project} --all"
        )
    return NotScannedError(
        f"{sha[:12]} of {project} has not been scanned. Run: infraaudit scan --project {project} --commit {sha[:12]}"
    )


def _scanned(line: Line, sha: str) -> Scan:
    scan = line.history.scan(line.project, sha)
    if scan is None:
        raise not_scanned(line.project, sha)
    return scan


def _current(line: Line, sha: str) -> Mapping[str, sa.RowMapping]:
    """Line numbers and severities as this commit's own scan has them: a span keeps those of where it began."""
    table, parts = schema.findings, schema.scan_parts
    columns = (table.c.fingerprint, table.c.line_start, table.c.line_end, table.c.severity)
    query = (
        sa.select(*columns)
        .join(parts, parts.c.scan_key == table.c.scan_key)
        .where(parts.c.project == line.project, parts.c.sha == sha)
    )
    with line.history.reading() as connection:
        return {row["fingerprint"]: row for row in connection.execute(query).mappings()}


def _row(
    span: Span,
    path: list[str],
    lines: Mapping[str, sa.RowMapping],
    commits: dict[str, sa.RowMapping],
    now: datetime,
    suppressions: Sequence[Suppression],
) -> dict[str, Any]:
    finding = hide(span.finding, suppressions, now.date())
    there = lines.get(finding.fingerprint)
    times = {sha: commit["committed_at"] for sha, commit in commits.items()}
    born = event_range(path, span.introduced, span.introduced_after, span.introduced_sha)
    introduced = commits.get(born["commit"]) if span.introduced_sha else None
    age = age_of_span(path, span, times, now)
    opened = span.opened_sha or path[span.opened]
    return _named(finding) | {
        "line_start": there["line_start"] if there else finding.line_start,
        "line_end": there["line_end"] if there else finding.line_end,
        "severity": there["severity"] if there else finding.severity.value,
        "introduced_by": born["commit"],
        "introduced_after": born["after"],
        "introduced_certainty": born["certainty"],
        "introduced_at": committed_at(commits, born["commit"]),
        "author": introduced["author_name"] if introduced else None,
        "opened_by": opened,
        "opened_at": committed_at(commits, opened),
        "age_days": round(age.at_least, 2) if age else None,
        "age_days_at_most": round(age.at_most, 2) if age and age.at_most is not None else None,
        "last_read": path[span.end_after] if span.end_after is not None and span.end_after < len(path) - 1 else None,
    }


def _changed(change: str, cause: str, finding: Finding) -> dict[str, Any]:
    return {"change": change, "cause": cause} | _named(finding)


def _named(finding: Finding) -> dict[str, Any]:
    names: Iterable[str] = ("framework", "check_id", "check_name", "status", "file_path", "resource", "line_start",
                            "line_end", "suppression_reason", "guideline")  # fmt: skip
    row = {name: getattr(finding, name) for name in names}
    return row | {
        "id": finding.fingerprint,
        "severity": finding.severity.value,
        "hidden_by": finding.suppressed_by or None if not finding.is_open else None,
    }
