"""Commits with what the pipeline did to them, a page at a time; what one commit changed; its stages and tests."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.delivery.deployments import TRIED, Outcome
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import CaseOutcome
from infraaudit_domain.reporting.order import worst_first
from infraaudit_domain.scans.findings import ScanStatus
from resources.history import schema
from resources.history.queries.commit_findings import postures
from resources.history.queries.ranges import event_range
from resources.history.store import History
from resources.history.stored_line import StoredLine

_CASE_ORDER = {CaseOutcome.FAILED.value: 0, CaseOutcome.ERROR.value: 1, CaseOutcome.SKIPPED.value: 2}
"""Of test cases in a list; what passed comes last."""


@dataclass(frozen=True, slots=True)
class CommitFilter:
    """Which commits of a line; an empty text matches any."""

    text: str = ""
    """Part of the subject, the author or the SHA."""
    outcome: str = ""
    """Of a deployment."""


def commit_page(line: StoredLine, wanted: CommitFilter, limit: int, offset: int) -> tuple[int, list[dict[str, Any]]]:
    """How many commits of a line match, and one page of them, newest first."""
    c, lines, d = schema.commits, schema.line_commits, schema.deployments
    where: list[sa.ColumnElement[bool]] = [line.is_in(lines)]
    if wanted.text:
        fields = (c.c.subject, c.c.author_name, c.c.sha)
        where.append(sa.or_(*(field.icontains(wanted.text, autoescape=True) for field in fields)))
    if wanted.outcome:
        tried = sa.select(d.c.sha).where(d.c.project == line.project, d.c.outcome == wanted.outcome)
        where.append(c.c.sha.in_(tried))
    on_line = lines.join(c, (c.c.project == lines.c.project) & (c.c.sha == lines.c.sha))
    count = sa.select(sa.func.count().label("n")).select_from(on_line).where(*where)
    total = line.history.rows(count)[0]["n"]
    return total, _rows(line, on_line, where, limit, offset)


def commit_row(line: StoredLine, sha: str) -> dict[str, Any] | None:
    """One commit, on the line or not (the changes of the latter are unknown)."""
    c, lines = schema.commits, schema.line_commits
    anywhere = c.outerjoin(lines, line.is_in(lines) & (lines.c.sha == c.c.sha))
    return next(iter(_rows(line, anywhere, [c.c.project == line.project, c.c.sha == sha], 1, 0)), None)


def _rows(
    line: StoredLine, source: sa.Join, where: Sequence[sa.ColumnElement[bool]], limit: int, offset: int
) -> list[dict[str, Any]]:
    c, i, t, s = schema.commits, schema.images, schema.test_runs, schema.scans
    lines = schema.line_commits

    def of(table: sa.Table) -> sa.ColumnElement[bool]:
        return (table.c.project == c.c.project) & (table.c.sha == c.c.sha)

    columns = (
        c.c.sha, c.c.subject, c.c.author_name.label("author"), c.c.committed_at, lines.c.position,
        i.c.reference.label("image"), i.c.size_bytes, i.c.build_seconds, i.c.reused_from, t.c.passed, t.c.failed,
        t.c.errors, t.c.skipped, s.c.status.label("scan"),
    )  # fmt: skip
    joined = source.outerjoin(i, of(i)).outerjoin(t, of(t)).outerjoin(s, of(s))
    query = sa.select(*columns).select_from(joined).where(*where)
    page = query.order_by(lines.c.position.desc()).limit(limit).offset(offset)
    rows = [dict(row) for row in line.history.rows(page)]
    _add_findings(line, rows)
    _add_deployments(line, rows)
    _add_runs(line, rows)
    for row in rows:
        del row["position"]
    return rows


def _add_findings(line: StoredLine, rows: Sequence[dict[str, Any]]) -> None:
    positions = [row["position"] for row in rows if row["position"] is not None]
    first = min(positions, default=0)
    found = postures(line, first, max(positions)) if positions else []
    for row in rows:
        scanned = row["scan"] in (ScanStatus.COMPLETE, ScanStatus.PARTIAL) and row["position"] is not None
        posture = found[row["position"] - first] if scanned else None
        row["open"] = posture.open.total() if posture else None
        for name in ("introduced", "fixed", "reopened", "suppressed"):
            row[name] = posture.changes[name] if posture else None


def _add_deployments(line: StoredLine, rows: Sequence[dict[str, Any]]) -> None:
    d = schema.deployments
    of_rows = (d.c.project == line.project) & d.c.sha.in_([row["sha"] for row in rows])
    of_rows &= d.c.outcome != Outcome.UNCHANGED.value
    last = sa.select(sa.func.max(d.c.id)).where(of_rows).group_by(d.c.sha)
    columns = (d.c.sha, d.c.environment, d.c.outcome, d.c.finished_at, d.c.reason)
    newest = {row["sha"]: row for row in line.history.rows(sa.select(*columns).where(d.c.id.in_(last)))}
    for row in rows:
        attempt = newest.get(row["sha"])
        row["deployment"] = attempt["outcome"] if attempt else None
        row["environment"] = attempt["environment"] if attempt else None
        row["deployment_reason"] = attempt["reason"] if attempt else None


def _add_runs(line: StoredLine, rows: Sequence[dict[str, Any]]) -> None:
    """The newest run of each commit, and the first stage of it that failed, which stopped the later ones."""
    s = schema.stages
    query = sa.select(s.c.sha, s.c.run_id, s.c.stage, s.c.outcome, s.c.finished_at).where(
        s.c.project == line.project, s.c.sha.in_([row["sha"] for row in rows])
    )
    stages = sorted(line.history.rows(query), key=lambda stage: stage["finished_at"])
    newest = {stage["sha"]: stage["run_id"] for stage in stages}
    failed = {
        stage["sha"]: stage["stage"]
        for stage in reversed(stages)
        if stage["outcome"] == StageOutcome.FAILED and stage["run_id"] == newest[stage["sha"]]
    }
    for row in rows:
        row["run_id"], row["stopped_by"] = newest.get(row["sha"]), failed.get(row["sha"])


def changes_at(line: StoredLine, sha: str) -> list[dict[str, Any]]:
    """What shows at a commit of the line: findings introduced, reopened, moved, suppressed, unsuppressed and fixed.

    ``by`` is the commit whose doing it was (a merge shows what its branches did), None where that is not known: then it
    was after ``after`` and not later than this commit, as ``certainty`` says.
    """
    position = line.positions().get(sha)
    if position is None:
        return []
    table = schema.spans.c
    names = ("severity", "check_id", "check_name", "framework", "file_path", "resource", "line_start")
    columns = [table[name] for name in names] + [table.fingerprint.label("id")]

    def event(side: str, word: sa.Column[Any]) -> sa.Select:
        described = [word.label("change"), table[f"{side}_cause"].label("cause")]
        known = [table[f"{side}_after"].label("after"), table[f"{side}_sha"].label("by")]
        here = table[f"{side}_position"] == position
        return sa.select(*described, *columns, *known).where(line.is_in(schema.spans), here)

    began = event("start", table.started_as)
    ended = event("end", table.ended_as).where(table.ended_as == "fixed")
    rows = [dict(row) for query in (began, ended) for row in line.history.rows(query)]
    for row in rows:
        known = event_range(line.shas, position, row["after"], row["by"])
        row |= {"after": known["after"], "certainty": known["certainty"]}
    return sorted(rows, key=worst_first)


def stage_rows(history: History, project: str, sha: str) -> list[dict[str, Any]]:
    """Every stage that ran for a commit, in the order in which they ended."""
    table = schema.stages
    query = sa.select(table).where(table.c.project == project, table.c.sha == sha).order_by(table.c.finished_at)
    return [
        {name: row[name] for name in ("stage", "outcome", "started_at", "finished_at")}
        | {"seconds": round((row["finished_at"] - row["started_at"]).total_seconds(), 3)}
        | {"run_id": row["run_id"], "reason": row["reason"]}
        for row in history.rows(query)
    ]


def deployment_page(
    history: History,
    project: str,
    environment: str = "",
    outcome: str = "",
    sha: str = "",
    limit: int = 50,
    offset: int = 0,
) -> tuple[int, list[dict[str, Any]]]:
    """How many deployments match, and one page of them, newest first; an empty text matches any."""
    d, c = schema.deployments, schema.commits
    exact = {"project": project, "environment": environment, "outcome": outcome, "sha": sha}
    where = [d.c[name] == value for name, value in exact.items() if value]
    total = history.rows(sa.select(sa.func.count().label("n")).select_from(d).where(*where))[0]["n"]
    columns = (
        d.c.environment, d.c.sha, c.c.subject, c.c.author_name.label("author"), d.c.outcome, d.c.started_at,
        d.c.finished_at, d.c.target, d.c.image, d.c.replaced_sha, d.c.reason, _was_stopped(d).label("is_stopped"),
    )  # fmt: skip
    joined = d.outerjoin(c, (c.c.project == d.c.project) & (c.c.sha == d.c.sha))
    query = sa.select(*columns).select_from(joined).where(*where).order_by(d.c.id.desc()).limit(limit).offset(offset)
    return total, [dict(row) for row in history.rows(query)]


def _was_stopped(d: sa.Table) -> sa.ColumnElement[bool]:
    """Whether it is a gate that refused a deployment which was skipped: nothing else makes its stage fail then."""
    s = schema.stages
    same = (s.c.project == d.c.project) & (s.c.sha == d.c.sha)
    during = (s.c.started_at <= d.c.started_at) & (s.c.finished_at >= d.c.finished_at)
    refused = same & during & (s.c.outcome == StageOutcome.FAILED.value) & s.c.stage.startswith("deployment")
    return (d.c.outcome == Outcome.SKIPPED.value) & sa.exists().where(refused)


def outcomes_of(history: History, project: str, shas: Sequence[str]) -> dict[str, list[str]]:
    """The outcomes of deployments that were tried (not skipped or superseded), by SHA, in order."""
    table = schema.deployments
    tried = table.c.outcome.in_([outcome.value for outcome in TRIED])
    query = sa.select(table.c.sha, table.c.outcome).where(table.c.project == project, tried).order_by(table.c.id)
    wanted, found = set(shas), defaultdict(list)
    for row in history.rows(query):
        if row["sha"] in wanted:
            found[row["sha"]].append(row["outcome"])
    return found


def test_case_rows(history: History, project: str, sha: str) -> list[dict[str, Any]]:
    """Every test case of a commit, those that did not pass first."""
    table = schema.test_cases
    first = sa.case(_CASE_ORDER, value=table.c.outcome, else_=len(_CASE_ORDER))
    query = sa.select(table.c.name, table.c.outcome, table.c.seconds, table.c.message).where(
        table.c.project == project, table.c.sha == sha
    )
    return [dict(row) for row in history.rows(query.order_by(first, table.c.position))]
