"""The trend API under /api/v1: read only, JSON or CSV, paged. /api/v1/openapi.json describes it from the same table.

A query parameter that a path does not know is refused: a filter that is misspelt would else silently be none.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, time
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infraaudit.questions.question import Question
from infraaudit.questions.table import OUTCOMES, QUESTIONS
from resources.history import History
from resources.history.queries.commit_pages import (
    CommitFilter,
    changes_at,
    commit_page,
    deployment_page,
    stage_rows,
    test_case_rows,
)
from resources.history.queries.environments import dora, environments, recorded_projects
from resources.history.queries.finding_pages import FindingLife, finding_life, finding_page, live_page
from resources.history.queries.trends import GROUPS, STEPS, trend_rows
from resources.history.stored_line import StoredLine
from service.audit import (
    ProjectRules,
    Rows,
    blame_rows,
    compare_rows,
    exposure_rows,
    live_commit_rows,
    rules_of,
    sla_rows,
    suppression_rows,
)
from service.export import export_route
from service.openapi import describe
from service.tables import PAGE_PARAMETERS, answer, choice, day, number, refuse_unknown, text, word
from service.wanted import known_fingerprint, known_line, page_of, wanted_commit, wanted_findings

Page = tuple[Sequence[dict[str, Any]], int]
Respond = Callable[[History, Request, int, int], Page]
Rules = Callable[[str], ProjectRules]
Audit = Callable[[StoredLine, ProjectRules, Request], Rows]


def api_routes(history: History, rules: Rules, secured: bool = False) -> list[Route]:
    """The routes of the trend API; ``secured`` is whether the document says that a token is needed."""
    document = describe(secured)
    answers = _RESPOND | {path: _audited(audit, rules) for path, audit in _AUDIT.items()}

    async def openapi(_: Request) -> Response:
        return JSONResponse(document)

    return [
        Route("/api/v1/openapi.json", openapi),
        *(_route(history, question, answers[question.path]) for question in QUESTIONS),
        export_route(history, rules),
    ]


def _route(history: History, question: Question, respond: Respond) -> Route:
    known = {**question.parameters, **PAGE_PARAMETERS}

    def table(request: Request) -> Response:
        refuse_unknown(request, known)
        limit, offset = page_of(request)
        rows, total = respond(history, request, limit, offset)
        return answer(request, question.names, rows, total, limit, offset)

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(table, request)

    return Route(f"/api/v1{question.path}", endpoint)


def _audited(audit: Audit, rules: Rules) -> Respond:
    def respond(history: History, request: Request, limit: int, offset: int) -> Page:
        line = known_line(history, request)
        return _cut(audit(line, rules_of(rules, line.project), request), limit, offset)

    return respond


def _projects(history: History, request: Request, limit: int, offset: int) -> Page:
    return _cut([{"name": name} for name in recorded_projects(history)], limit, offset)


def _commits(history: History, request: Request, limit: int, offset: int) -> Page:
    wanted = CommitFilter(text(request, "q"), choice(request, "outcome", "", OUTCOMES))
    total, rows = commit_page(known_line(history, request), wanted, limit, offset)
    return rows, total


def _changes(history: History, request: Request, limit: int, offset: int) -> Page:
    line = known_line(history, request)
    sha = wanted_commit(line, request)
    return _cut([{"commit": sha} | row for row in changes_at(line, sha)], limit, offset)


def _stages(history: History, request: Request, limit: int, offset: int) -> Page:
    line = known_line(history, request)
    sha = wanted_commit(line, request)
    return _cut([{"commit": sha} | row for row in stage_rows(history, line.project, sha)], limit, offset)


def _tests(history: History, request: Request, limit: int, offset: int) -> Page:
    line = known_line(history, request)
    sha = wanted_commit(line, request)
    return _cut([{"commit": sha} | row for row in test_case_rows(history, line.project, sha)], limit, offset)


def _findings(history: History, request: Request, limit: int, offset: int) -> Page:
    line = known_line(history, request)
    sha = wanted_commit(line, request)
    total, rows = finding_page(line, sha, wanted_findings(request), datetime.now(UTC), limit, offset)
    return [{"commit": sha} | row for row in rows], total


def _events(history: History, request: Request, limit: int, offset: int) -> Page:
    return _cut(_life(history, request).events, limit, offset)


def _stints(history: History, request: Request, limit: int, offset: int) -> Page:
    return _cut(_life(history, request).live, limit, offset)


def _life(history: History, request: Request) -> FindingLife:
    life = finding_life(known_line(history, request), known_fingerprint(request))
    if life is None:
        raise HTTPException(404, "no commit of this project ever had this finding")
    return life


def _live(history: History, request: Request, limit: int, offset: int) -> Page:
    line, wanted, now = known_line(history, request), wanted_findings(request), datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    total = 0
    for environment in _environments(line, word(request, "environment")):
        left, skipped = limit - len(rows), max(0, offset - total)
        number_here, found = live_page(line, environment, wanted, now, left, skipped)
        rows, total = rows + found, total + number_here
    return rows, total


def _trends(history: History, request: Request, limit: int, offset: int) -> Page:
    by, every = choice(request, "by", "", GROUPS) or None, choice(request, "every", "commit", STEPS)
    since, until = day(request, "since", time.min), day(request, "until", time.max)
    return _cut(trend_rows(known_line(history, request), by, every, since, until)[::-1], limit, offset)


def _deployments(history: History, request: Request, limit: int, offset: int) -> Page:
    environment, outcome = word(request, "environment"), choice(request, "outcome", "", OUTCOMES)
    project = known_line(history, request).project
    total, rows = deployment_page(history, project, environment, outcome, limit=limit, offset=offset)
    return rows, total


def _dora(history: History, request: Request, limit: int, offset: int) -> Page:
    line, days, now = known_line(history, request), number(request, "days", 30, 1, 3650), datetime.now(UTC)
    names = _environments(line, word(request, "environment"))
    rows = [
        {"environment": environment} | asdict(dora(history, line.project, environment, now, days))
        for environment in names
    ]
    return _cut(rows, limit, offset)


def _environments(line: StoredLine, wanted: str) -> list[str]:
    return [
        environment
        for name, environment in environments(line.history)
        if name == line.project and wanted in ("", environment)
    ]


def _cut(rows: Sequence[dict[str, Any]], limit: int, offset: int) -> Page:
    return rows[offset : offset + limit], len(rows)


_RESPOND: dict[str, Respond] = {
    "/projects": _projects,
    "/projects/{project}/commits": _commits,
    "/projects/{project}/changes": _changes,
    "/projects/{project}/stages": _stages,
    "/projects/{project}/tests": _tests,
    "/projects/{project}/findings": _findings,
    "/projects/{project}/findings/{fingerprint}": _events,
    "/projects/{project}/findings/{fingerprint}/live": _stints,
    "/projects/{project}/live": _live,
    "/projects/{project}/trends": _trends,
    "/projects/{project}/deployments": _deployments,
    "/projects/{project}/dora": _dora,
}
_AUDIT: dict[str, Audit] = {
    "/projects/{project}/blame": blame_rows,
    "/projects/{project}/compare": compare_rows,
    "/projects/{project}/exposure": exposure_rows,
    "/projects/{project}/exposure/commits": live_commit_rows,
    "/projects/{project}/sla": sla_rows,
    "/projects/{project}/suppressions": suppression_rows,
}
