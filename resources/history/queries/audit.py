"""What the audit page and the trend API ask: commits, findings at a commit, a finding's life, what is live."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from infraaudit_assets.domain.findings import Severity
from infraaudit_assets.domain.life import LifeEvent, Sighting, life_of
from resources.history import schema
from resources.history.queries.places import rows_of
from resources.history.store import History

SEVERITY_RANK = {severity.value: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings of a commit; an empty text is any."""

    severity: str = ""
    status: str = "open"
    framework: str = ""
    text: str = ""


def main_line(history: History, project: str) -> list[str]:
    """The SHAs of the first-parent line that ends in the newest commit, newest first."""
    table = schema.commits
    order = (table.c.committed_at.desc(), table.c.recorded_at.desc())
    query = sa.select(table.c.sha, table.c.first_parent).where(table.c.project == project).order_by(*order)
    parents = {row["sha"]: row["first_parent"] for row in rows_of(history, query)}
    line: dict[str, None] = {}
    sha = next(iter(parents), None)
    while sha is not None and sha in parents and sha not in line:
        line[sha] = None
        sha = parents[sha]
    return list(line)


def commit_rows(history: History, project: str, shas: Sequence[str]) -> list[dict[str, Any]]:
    """Commits with their image, tests, scan and last deployment, in the order given."""
    c, i, t, s, d = schema.commits, schema.images, schema.test_runs, schema.scans, schema.deployments
    last = (
        sa.select(sa.func.max(d.c.id))
        .where(d.c.project == project, d.c.sha.in_(shas))
        .group_by(d.c.sha, d.c.environment)
    )

    def of(table: sa.Table) -> sa.ColumnElement[bool]:
        return (table.c.project == c.c.project) & (table.c.sha == c.c.sha)

    query = (
        sa.select(
            c.c.sha, c.c.subject, c.c.author_name.label("author"), c.c.committed_at, c.c.first_parent,
            i.c.reference.label("image"), i.c.size_bytes, i.c.reused_from, t.c.passed, t.c.failed, t.c.errors,
            t.c.skipped, s.c.status.label("scan"),
        )
        .outerjoin(i, of(i)).outerjoin(t, of(t)).outerjoin(s, of(s))
        .where(c.c.project == project, c.c.sha.in_(shas))
    )  # fmt: skip
    found = {row["sha"]: dict(row) for row in rows_of(history, query)}
    attempts = sa.select(d.c.sha, d.c.environment, d.c.outcome, d.c.reason).where(d.c.id.in_(last)).order_by(d.c.id)
    outcomes = {row["sha"]: row for row in rows_of(history, attempts)}
    changes = _changes(history, project, {sha: row["first_parent"] for sha, row in found.items()})
    for sha, row in found.items():
        deployed = outcomes.get(sha)
        row["deployment"] = deployed["outcome"] if deployed else None
        row["open"], row["new"], row["fixed"] = changes.get(sha, (None, None, None))
    return [found[sha] for sha in shas if sha in found]


def failed_scans(history: History, project: str) -> list[str]:
    """Commits whose scan crashed: that they have no findings says nothing."""
    table = schema.scans
    query = sa.select(table.c.sha).where(table.c.project == project, table.c.status == "failed")
    return [row["sha"] for row in rows_of(history, query)]


def findings_at(
    history: History, project: str, sha: str, wanted: FindingFilter, limit: int, offset: int
) -> tuple[int, list[dict[str, Any]]]:
    """How many findings of a commit match, and one page of them, the most severe first."""
    parts, f = schema.scan_parts, schema.findings
    where = [parts.c.project == project, parts.c.sha == sha]
    where += [f.c.severity == wanted.severity] if wanted.severity else []
    where += [f.c.status == wanted.status] if wanted.status else []
    where += [f.c.framework == wanted.framework] if wanted.framework else []
    if wanted.text:
        fields = (f.c.check_id, f.c.check_name, f.c.file_path, f.c.resource)
        where.append(sa.or_(*(field.icontains(wanted.text, autoescape=True) for field in fields)))
    joined = f.join(parts, parts.c.scan_key == f.c.scan_key)
    columns = [column for column in f.c if column.name not in ("scan_key", "ordinal")]
    rank = sa.case(SEVERITY_RANK, value=f.c.severity, else_=len(SEVERITY_RANK))
    order = (rank, f.c.file_path, f.c.line_start, f.c.check_id, f.c.fingerprint)
    total = rows_of(history, sa.select(sa.func.count().label("number")).select_from(joined).where(*where))
    page = sa.select(*columns).select_from(joined).where(*where).order_by(*order).limit(limit).offset(offset)
    return total[0]["number"], [dict(row) for row in rows_of(history, page)]


@dataclass(frozen=True, slots=True)
class FindingLife:
    finding: dict[str, Any]
    events: list[tuple[LifeEvent, dict[str, Any]]]
    """Each event with its commit: subject, author, committed_at."""
    live: list[tuple[str, datetime, datetime | None]]
    """Environment, live since, live until (None: it still is)."""


def finding_life(history: History, project: str, fingerprint: str) -> FindingLife | None:
    """The whole life of one finding along the main line."""
    parts, f, scans, c = schema.scan_parts, schema.findings, schema.scans, schema.commits
    holding = sa.select(f).where(f.c.fingerprint == fingerprint, sa.exists().where(
        parts.c.project == project, parts.c.scan_key == f.c.scan_key))  # fmt: skip
    by_key = {row["scan_key"]: row for row in rows_of(history, holding)}
    if not by_key:
        return None
    places = sa.select(parts.c.sha, parts.c.scan_key).where(parts.c.project == project, parts.c.scan_key.in_(by_key))
    seen = {row["sha"]: by_key[row["scan_key"]] for row in rows_of(history, places)}
    states = rows_of(history, sa.select(scans.c.sha, scans.c.status).where(scans.c.project == project))
    complete = {row["sha"]: row["status"] == "complete" for row in states}
    sightings = [
        Sighting(
            sha,
            complete[sha],
            seen[sha]["status"] if sha in seen else None,
            seen[sha]["line_start"] if sha in seen else 0,
        )
        for sha in reversed(main_line(history, project))
        if sha in complete
    ]
    events = life_of(sightings)
    about = sa.select(c.c.sha, c.c.subject, c.c.author_name.label("author"), c.c.committed_at).where(
        c.c.project == project, c.c.sha.in_({event.sha for event in events})
    )
    commits = {row["sha"]: dict(row) for row in rows_of(history, about)}
    open_in = {sha for sha, row in seen.items() if row["status"] == "open"}
    newest = next((seen[s.sha] for s in reversed(sightings) if s.sha in seen), next(iter(by_key.values())))
    return FindingLife(
        dict(newest), [(event, commits[event.sha]) for event in events], _live(history, project, open_in)
    )


def _live(history: History, project: str, holding: set[str]) -> list[tuple[str, datetime, datetime | None]]:
    d = schema.deployments
    query = sa.select(d.c.environment, d.c.sha, d.c.finished_at).where(
        d.c.project == project, d.c.outcome == "deployed"
    )
    spans: list[tuple[str, datetime, datetime | None]] = []
    since: dict[str, datetime] = {}
    for row in rows_of(history, query.order_by(d.c.id)):
        place = row["environment"]
        if row["sha"] in holding:
            since.setdefault(place, row["finished_at"])
        elif place in since:
            spans.append((place, since.pop(place), row["finished_at"]))
    return spans + [(place, moment, None) for place, moment in since.items()]


def _changes(history: History, project: str, parents: dict[str, str | None]) -> dict[str, tuple[int | None, ...]]:
    """Open, new and fixed findings of each scanned commit against its first parent, by fingerprint."""
    parts, f, s = schema.scan_parts, schema.findings, schema.scans
    shas = set(parents) | {parent for parent in parents.values() if parent}
    complete = {
        row["sha"]
        for row in rows_of(
            history, sa.select(s.c.sha).where(s.c.project == project, s.c.sha.in_(shas), s.c.status == "complete")
        )
    }
    keys: dict[str, set[str]] = defaultdict(set)
    for row in rows_of(
        history, sa.select(parts.c.sha, parts.c.scan_key).where(parts.c.project == project, parts.c.sha.in_(shas))
    ):
        keys[row["sha"]].add(row["scan_key"])
    wanted = set().union(*keys.values()) if keys else set()
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows_of(
        history, sa.select(f.c.scan_key, f.c.fingerprint).where(f.c.scan_key.in_(wanted), f.c.status == "open")
    ):
        found[row["scan_key"]].add(row["fingerprint"])
    result: dict[str, tuple[int | None, ...]] = {}
    for sha, parent in parents.items():
        number = sum(len(found[key]) for key in keys[sha])
        if sha not in complete:
            result[sha] = (number if sha in keys else None, None, None)
            continue
        if parent is None or parent not in complete:
            result[sha] = (number, None, None)
            continue
        now = set().union(*(found[key] for key in keys[sha] - keys[parent]))
        before = set().union(*(found[key] for key in keys[parent] - keys[sha]))
        result[sha] = (number, len(now - before), len(before - now))
    return result
