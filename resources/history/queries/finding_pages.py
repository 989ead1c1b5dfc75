"""Findings of a commit, a page at a time, with author and age; findings that are live."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.judging.ages import Certainty, age_of
from infraaudit_domain.judging.suppressions import Suppression
from infraaudit_domain.reporting.order import SEVERITY_RANK
from infraaudit_domain.scans.findings import FindingStatus
from resources.history import schema
from resources.history.queries.beside_the_line import Live
from resources.history.queries.hidden_findings import Hidden, has_status, hidden_findings, status_of
from resources.history.queries.lives import healthy_deployments
from resources.history.queries.paths import path_is
from resources.history.queries.ranges import event_range, stands_unread
from resources.history.stored_line import StoredLine


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings of a commit; an empty text matches any."""

    severity: str = ""
    status: str = FindingStatus.OPEN.value
    framework: str = ""
    text: str = ""
    """Part of the check, the file or the resource."""
    check: str = ""
    path: str = ""
    """A file, a folder or a pattern."""
    new_since: str = ""
    """A commit of the line: only findings that did not stand there."""
    order: str = "severity"


def finding_page(
    line: StoredLine,
    sha: str,
    wanted: FindingFilter,
    now: datetime,
    limit: int,
    offset: int,
    suppressions: Sequence[Suppression] = (),
) -> tuple[int, list[dict[str, Any]]]:
    """How many findings match that stand at a commit, and one page of them, as the suppressions count now.

    Those that its scan did not read come last, with ``last_read``. ``introduced_by`` and all that depends on it is None
    for a commit that is not on the line.
    """
    parts, f = schema.scan_parts, schema.findings
    position = line.positions().get(sha, -1)
    found = f.join(parts, parts.c.scan_key == f.c.scan_key)
    hidden = hidden_findings(line.history, line.project, sha, suppressions, now)
    where = [parts.c.project == line.project, parts.c.sha == sha, *_matching(line, wanted, f, hidden)]
    read = line.history.rows(sa.select(sa.func.count().label("n")).select_from(found).where(*where))[0]["n"]
    span, joined = _with_life(line, found, position)
    page = _with_events(line, f, span, joined).where(*where).order_by(*_order(wanted, f, span))
    rows = [*line.history.rows(page.limit(limit).offset(offset))] if offset < read else []
    unread = _unread(line, sha, position, wanted, hidden) if position >= 0 else []
    rows += unread[max(0, offset - read) :][: limit - len(rows)]
    shown = (_with_certainty(line, dict(row), position, now) for row in rows)
    return read + len(unread), [row | status_of(row, hidden) for row in shown]


def _unread(line: StoredLine, sha: str, position: int, wanted: FindingFilter, hidden: Hidden) -> list[sa.RowMapping]:
    """Findings that stand at a commit whose scan did not read where they are."""
    span = schema.spans.alias("span")
    unread = stands_unread(line.history, line.project, sha, span, position)
    where = (line.is_in(span), unread, *_matching(line, wanted, span, hidden))
    query = _with_events(line, span, span, span).add_columns(span.c.start_position).where(*where)
    return list(line.history.rows(query.order_by(*_order(wanted, span, span))))


def _with_events(line: StoredLine, f: Any, span: Any, joined: sa.FromClause) -> sa.Select:
    """The columns of findings, with what is known of the commits that introduced and opened them."""
    introduced, opened = schema.line_commits.alias("introduced"), schema.line_commits.alias("opened")
    who, when, lacking = (schema.commits.alias(name) for name in ("who", "when_opened", "lacking"))
    before = schema.line_commits.alias("before")
    by, since = (
        sa.func.coalesce(span.c.introduced_sha, introduced.c.sha),
        sa.func.coalesce(span.c.opened_sha, opened.c.sha),
    )
    joined = (
        joined.outerjoin(introduced, line.is_in(introduced) & (introduced.c.position == span.c.introduced_position))
        .outerjoin(opened, line.is_in(opened) & (opened.c.position == span.c.opened_position))
        .outerjoin(before, line.is_in(before) & (before.c.position == span.c.opened_after))
        .outerjoin(who, (who.c.project == line.project) & (who.c.sha == by))
        .outerjoin(when, (when.c.project == line.project) & (when.c.sha == since))
        .outerjoin(lacking, (lacking.c.project == line.project) & (lacking.c.sha == before.c.sha))
    )
    return sa.select(
        f.c.fingerprint.label("id"), f.c.framework, f.c.check_id, f.c.check_name, f.c.severity, f.c.status,
        f.c.file_path, f.c.resource, f.c.line_start, f.c.line_end, f.c.ordinal, by.label("introduced_by"),
        who.c.committed_at.label("introduced_at"), who.c.author_name.label("author"), since.label("opened_by"),
        when.c.committed_at.label("opened_at"), f.c.suppression_reason, f.c.suppressed_by, f.c.guideline, span.c.opened_position,
        lacking.c.committed_at.label("lacking_at"), span.c.introduced_position, span.c.introduced_after,
        span.c.introduced_sha, span.c.opened_sha, span.c.end_after, span.c.end_position,
    ).select_from(joined)  # fmt: skip


def frameworks_of(line: StoredLine, sha: str) -> list[str]:
    """The frameworks that a commit was scanned for, in the order of their names."""
    of_commit = schema.scan_parts.select().where(schema.scan_parts.c.project == line.project)
    return sorted(row["framework"] for row in line.history.rows(of_commit.where(schema.scan_parts.c.sha == sha)))


def live_page(
    line: StoredLine,
    environment: str,
    wanted: FindingFilter,
    now: datetime,
    limit: int,
    offset: int,
    suppressions: Sequence[Suppression] = (),
) -> tuple[int, list[dict[str, Any]]]:
    """The findings of what is live in an environment; ``live_since`` is since when it has been live without a gap."""
    live = line.history.live(line.project, environment)
    if live is None:
        return 0, []
    total, rows = finding_page(line, live.sha, wanted, now, limit, offset, suppressions)
    deployed, here = healthy_deployments(line, environment), line.positions().get(live.sha, -1)
    for row in rows:
        row["live_since"] = _live_since(deployed, here, row) or live.finished_at
    return total, [{"environment": environment, "live": live.sha} | row for row in rows]


def _live_since(deployed: Sequence[Live], here: int, row: Mapping[str, Any]) -> datetime | None:
    """Since when every deployed commit had a finding of what is live."""
    since, opened = None, row["opened_position"]
    for one in reversed(deployed):
        if one.position is None:
            has_it = row["id"] in one.fingerprints
        else:
            has_it = opened is not None and opened <= one.position <= here
        if not has_it:
            break
        since = one.at
    return since


def _matching(line: StoredLine, wanted: FindingFilter, f: Any, hidden: Hidden) -> list[sa.ColumnElement[bool]]:
    exact = {"severity": wanted.severity, "framework": wanted.framework, "check_id": wanted.check}
    where = [f.c[name] == value for name, value in exact.items() if value]
    if wanted.text:
        fields = (f.c.check_id, f.c.check_name, f.c.file_path, f.c.resource)
        where.append(sa.or_(*(field.icontains(wanted.text, autoescape=True) for field in fields)))
    where += path_is(f.c.file_path, wanted.path)
    where += has_status(line.history, f, wanted.status, hidden)
    if wanted.new_since:
        where.append(f.c.fingerprint.not_in(_standing(line, line.positions()[wanted.new_since])))
    return where


def _standing(line: StoredLine, position: int) -> sa.Select:
    """What the findings that stand at a commit are called there or anywhere else in their lives."""
    table = schema.spans
    ends_later = table.c.end_position.is_(None) | (table.c.end_position > position)
    lives = sa.select(table.c.life).where(line.is_in(table), table.c.start_position <= position, ends_later)
    return sa.select(table.c.fingerprint).where(line.is_in(table), table.c.life.in_(lives))


def _with_life(line: StoredLine, found: sa.FromClause, position: int) -> tuple[Any, sa.Join]:
    span = schema.spans.alias("span")
    # The "+ 0" keeps SQLite from using an index for the range, with which it would walk all earlier spans for each
    # finding.
    begun = span.c.start_position + 0 <= position
    covers = begun & (span.c.end_position.is_(None) | (span.c.end_position > position))
    return span, found.outerjoin(
        span, line.is_in(span) & (span.c.fingerprint == schema.findings.c.fingerprint) & covers
    )


def _order(wanted: FindingFilter, f: Any, span: Any) -> tuple[sa.ColumnElement[Any], ...]:
    rank = sa.case(SEVERITY_RANK, value=f.c.severity, else_=len(SEVERITY_RANK))
    location = (f.c.file_path, f.c.line_start, f.c.check_id, f.c.fingerprint)
    by_age = (span.c.opened_position.is_(None), span.c.opened_position)
    return {"severity": (rank, *location), "age": (*by_age, rank, *location), "file": location}[wanted.order]


def _with_certainty(line: StoredLine, row: dict[str, Any], position: int, now: datetime) -> dict[str, Any]:
    """A row with what is known of its beginning and its age; an author only where it is known whose doing it was."""
    age = None
    row |= {"introduced_after": None, "introduced_certainty": None}
    if row["introduced_position"] is not None:
        known = event_range(line.shas, row["introduced_position"], row["introduced_after"], row["introduced_sha"])
        row |= {"introduced_after": known["after"], "introduced_certainty": known["certainty"]}
        if known["certainty"] != Certainty.EXACT:
            row["author"] = None
    if row["opened_at"]:
        age = age_of(row["opened_at"], row["opened_sha"] is not None, row["lacking_at"], now)
    return row | {
        "age_days": round(age.at_least, 2) if age else None,
        "age_days_at_most": round(age.at_most, 2) if age and age.at_most is not None else None,
        "last_read": line.shas[_last_read(row, position)] if "start_position" in row else None,
    }


def _last_read(row: Mapping[str, Any], position: int) -> int:
    """The last position that is known to have a finding that the scan at this one did not read."""
    last = row["end_after"]
    return int(last if last is not None and last < position else row["start_position"])
