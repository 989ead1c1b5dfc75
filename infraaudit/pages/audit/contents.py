"""The contents of each page, read from the history. A page of an unknown commit or finding is None."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from math import ceil
from typing import Any

from infraaudit.pages.audit.links import Links
from infraaudit.pages.audit.picture import Bar, draw
from infraaudit.pages.audit.projects import live_in
from infraaudit.pages.audit.verdict import verdict_of
from infraaudit.questions.asked import ProjectRules
from infraaudit.questions.decided.answers import decisions_of
from infraaudit.questions.one_finding.helping import help_for
from infraaudit_domain.delivery.test_plans import says_no_tests
from infraaudit_domain.forge.change_requests import RequestState
from infraaudit_domain.judging.suppressions import Suppression
from resources.history.decisions.approvals import approval_rows
from resources.history.forge.change_requests import request_rows
from resources.history.forge.faults import faults
from resources.history.queries.commit_findings import Posture, newest_scanned, postures
from resources.history.queries.commit_pages import (
    CommitFilter,
    changes_at,
    commit_page,
    commit_row,
    deployment_page,
    outcomes_of,
    stage_rows,
    test_case_rows,
)
from resources.history.queries.coverage import coverage_of, scanned_parts
from resources.history.queries.environments import dora, environments
from resources.history.queries.finding_life import finding_life
from resources.history.queries.finding_pages import FindingFilter, finding_page, live_page
from resources.history.queries.frames import commits_named
from resources.history.queries.further_images import further_images
from resources.history.queries.scanned_past import unscanned_among
from resources.history.rows import finding_of as finding_in
from resources.history.stored_line import StoredLine

WINDOWS = {"60": 60, "250": 250, "all": 0}
"""How many of the newest commits the trend shows; 0 is every one."""
_BARS = 120
_WORST_SHOWN = 8
_REQUESTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of an overview."""

    commits: CommitFilter = field(default_factory=CommitFilter)
    window: str = "60"
    days: int = 30
    limit: int = 50
    offset: int = 0


def overview(line: StoredLine, wanted: Wanted, links: Links, now: datetime) -> dict[str, Any]:
    """The page of a project."""
    total, commits = commit_page(line, wanted.commits, wanted.limit, wanted.offset)
    head = newest_scanned(line)
    trend = _trend(line, wanted.window) if head else []
    bars = _bars(line, trend, links) if trend else []
    return {
        "project": line.project,
        "branch": line.branch,
        "links": links,
        "wanted": wanted,
        "commits": commits,
        "total": total,
        "recorded": total or commit_page(line, CommitFilter(), 0, 0)[0],
        "head": head,
        "trend": trend,
        "changes": _together(trend),
        "unread": unscanned_among(line, len(line.shas) - len(trend), len(line.shas) - 1) if trend else 0,
        "unscanned": len(line.shas) - 1 - line.positions()[head.sha] if head else 0,
        "picture": draw(bars) if bars else None,
        "environments": [_environment(line, name, wanted.days, now) for name in _environments(line)],
        "forge_fault": faults(line.history).get(line.project),
        "requests": request_rows(line.history, line.project, RequestState.OPEN, _REQUESTS_SHOWN),
    }


def findings_of(
    line: StoredLine,
    sha: str,
    wanted: FindingFilter,
    links: Links,
    now: datetime,
    limit: int,
    offset: int,
    suppressions: Sequence[Suppression] = (),
) -> dict[str, Any]:
    """The findings of one commit; ``sha`` may be empty where no commit was scanned yet."""
    total, rows = finding_page(line, sha, wanted, now, limit, offset, suppressions)
    return {
        "project": line.project,
        "branch": line.branch,
        "links": links,
        "sha": sha,
        "commit": commit_row(line, sha) if sha else None,
        "on_line": sha in line.positions(),
        "wanted": wanted,
        "rows": rows,
        "total": total,
        "limit": limit,
        "offset": offset,
    }


def finding_of(
    line: StoredLine, fingerprint: str, links: Links, rules: ProjectRules, today: date
) -> dict[str, Any] | None:
    """One finding with its whole lifecycle, and what helps to fix it."""
    life = finding_life(line, fingerprint)
    if life is None:
        return None
    help = help_for(line, rules, life, today)
    names = {event["id"] for event in life.events} | {fingerprint}
    hiding = [one for one in rules.suppressions if one.counts_on(today) and one.matches(finding_in(life.finding))]
    return {
        "project": line.project, "branch": line.branch, "links": links, "life": life, "help": help,
        "hiding": next(iter(hiding), None), "decided": decisions_of(line.history, line.project, names, today),
    }  # fmt: skip


def commit_of(line: StoredLine, sha: str, links: Links) -> dict[str, Any] | None:
    """One commit: what the pipeline did with it, and which findings it changed."""
    commit, stages = commit_row(line, sha), stage_rows(line.history, line.project, sha)
    if commit is None:
        return None
    live = [name for name in _environments(line) if getattr(line.history.live(line.project, name), "sha", "") == sha]
    return {
        "verdict": verdict_of(commit, stages, live),
        "project": line.project,
        "branch": line.branch,
        "links": links,
        "commit": commit,
        "on_line": sha in line.positions(),
        "changes": changes_at(line, sha),
        "coverage": coverage_of(line, sha, scanned_parts(line.history, line.project, sha)),
        "stages": stages,
        "further_images": further_images(line.history, line.project, sha),
        "without_tests": any(row["stage"] == "test_results" and says_no_tests(row["reason"]) for row in stages),
        "tests": test_case_rows(line.history, line.project, sha),
        "deployments": deployment_page(line.history, line.project, sha=sha, limit=20)[1],
        "approvals": approval_rows(line.history, line.project, sha=sha),
    }


def deployments_of(
    line: StoredLine, environment: str, outcome: str, links: Links, limit: int, offset: int
) -> dict[str, Any]:
    """Every deployment that was tried, newest first."""
    total, rows = deployment_page(line.history, line.project, environment, outcome, limit=limit, offset=offset)
    return {
        "project": line.project,
        "links": links,
        "environments": _environments(line),
        "environment": environment,
        "outcome": outcome,
        "rows": rows,
        "total": total,
        "limit": limit,
        "offset": offset,
    }


def _environments(line: StoredLine) -> list[str]:
    return [name for project, name in environments(line.history) if project == line.project]


def _trend(line: StoredLine, window: str) -> list[Posture]:
    last = len(line.shas) - 1
    first = max(0, last + 1 - (WINDOWS[window] or last + 1))
    return postures(line, first, last) if last >= 0 else []


def _together(some: Sequence[Posture]) -> Counter[str]:
    """The changes of some commits."""
    changes: Counter[str] = Counter()
    for posture in some:
        changes.update(posture.changes)
    return changes


def _bars(line: StoredLine, trend: Sequence[Posture], links: Links) -> list[Bar]:
    """One bar for each commit, or for so many commits that the picture is readable."""
    size = ceil(len(trend) / _BARS)
    groups = [trend[max(0, end - size) : end] for end in range(len(trend), 0, -size)][::-1]
    commits = commits_named(line.history, line.project, (group[-1].sha for group in groups))
    outcomes = outcomes_of(line.history, line.project, [posture.sha for posture in trend])
    return [
        Bar(
            posture=Posture(group[-1].sha, group[-1].open, _together(group)),
            subject=commits[group[-1].sha]["subject"],
            moment=commits[group[-1].sha]["committed_at"],
            deployments=tuple(outcome for posture in group for outcome in outcomes.get(posture.sha, ())),
            link=links.commit(group[-1].sha),
            commits=len(group),
        )
        for group in groups
        if group[-1].sha in commits
    ]


def _environment(line: StoredLine, environment: str, days: int, now: datetime) -> dict[str, Any]:
    """An environment: the live commit, its worst findings, and the four DORA measures."""
    live = live_in(line.history, line.project, environment)
    total, worst = live_page(line, environment, FindingFilter(), now, _WORST_SHOWN, 0)
    here = line.positions().get(live.sha) if live else None
    return {
        "name": environment,
        "live": live,
        "commit": commit_row(line, live.sha) if live else None,
        "behind": len(line.shas) - 1 - here if here is not None else None,
        "open": postures(line, here, here)[0].open if here is not None else Counter(),
        "total": total,
        "worst": worst,
        "dora": dora(line.history, line.project, environment, now, days),
    }
