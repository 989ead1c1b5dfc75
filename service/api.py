"""The trend API under /api/v1: read only, JSON or CSV, paged. /api/v1/openapi.json describes it."""

import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infraaudit_assets.domain.findings import Severity
from resources.history import History, schema
from resources.history.queries import open_by_severity
from resources.history.queries.audit import (
    FindingFilter,
    commit_rows,
    failed_scans,
    finding_life,
    findings_at,
    main_line,
)
from resources.history.queries.measures import newest
from resources.history.queries.places import deployments, dora, environments, project_names, rows_of
from service.openapi import describe
from service.tables import MAX_PAGE, answer, choice, number, text, word

Answer = Callable[[History, Request], Response]
_SEVERITIES = tuple(severity.value for severity in Severity)


def api_routes(history: History) -> list[Route]:
    """The routes of the trend API."""

    def route(path: str, respond: Answer) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                return await run_in_threadpool(respond, history, request)
            except HTTPException as error:
                return JSONResponse({"error": error.detail}, error.status_code)

        return Route(f"/api/v1{path}", endpoint)

    return [route("/openapi.json", _openapi), *(route(path, respond) for path, respond in _PATHS.items())]


def known_project(history: History, request: Request) -> str:
    """The project that a path names. Raises HTTPException 404."""
    project = str(request.path_params["project"])
    if project not in project_names(history):
        raise HTTPException(404, "no such project")
    return project


def wanted_findings(request: Request) -> FindingFilter:
    """The filter that a query string asks for. Raises HTTPException 400."""
    return FindingFilter(
        severity=choice(request, "severity", "", _SEVERITIES),
        status=choice(request, "status", "open", ("open", "suppressed")),
        framework=word(request, "framework"),
        text=text(request, "q"),
    )


def wanted_commit(history: History, project: str, request: Request) -> str:
    """The commit that a query string names, by default the newest scanned. Raises HTTPException 400 or 404."""
    given = request.query_params.get("commit", "")
    if not given:
        scan = newest(history, schema.scans, project)
        return str(scan["sha"]) if scan else ""
    if not re.fullmatch(r"[0-9a-f]{7,64}", given):
        raise HTTPException(400, "commit is 7 to 64 hexadecimal digits")
    table = schema.commits
    query = sa.select(table.c.sha).where(table.c.project == project, table.c.sha.startswith(given)).limit(2)
    found = rows_of(history, query)
    if len(found) != 1:
        raise HTTPException(404, "no such commit, or more than one")
    return str(found[0]["sha"])


def _openapi(_: History, __: Request) -> Response:
    return JSONResponse(describe(_PATHS))


def _projects(history: History, request: Request) -> Response:
    return answer(request, [{"name": name} for name in project_names(history)])


def _commits(history: History, request: Request) -> Response:
    line = main_line(history, known_project(history, request))
    limit, offset = _page(request)
    rows = commit_rows(history, str(request.path_params["project"]), line[offset : offset + limit])
    return answer(request, rows, len(line))


def _findings(history: History, request: Request) -> Response:
    project = known_project(history, request)
    sha = wanted_commit(history, project, request)
    total, rows = findings_at(history, project, sha, wanted_findings(request), *_page(request))
    return answer(request, [{"commit": sha} | row for row in rows], total)


def _finding(history: History, request: Request) -> Response:
    """One finding with its life."""
    life = finding_life(history, known_project(history, request), str(request.path_params["fingerprint"])[:64])
    if life is None:
        raise HTTPException(404, "no such finding")
    rows = [
        asdict(event) | {"subject": commit["subject"], "at": commit["committed_at"]} for event, commit in life.events
    ]
    return answer(request, rows, len(rows))


def _live(history: History, request: Request) -> Response:
    project = known_project(history, request)
    rows: list[dict[str, Any]] = []
    for name, environment in environments(history):
        live = history.live(name, environment) if name == project else None
        if live:
            found = findings_at(history, project, live.sha, wanted_findings(request), *_page(request))[1]
            rows += [{"environment": environment, "sha": live.sha, "since": live.finished_at} | row for row in found]
    return answer(request, rows, len(rows))


def _trends(history: History, request: Request) -> Response:
    project = known_project(history, request)
    limit, offset = _page(request)
    line = main_line(history, project)[offset : offset + limit]
    counts = open_by_severity(history, project, line)
    for sha in failed_scans(history, project):
        counts.pop(sha, None)
    rows = [{"sha": sha} | {s.value: counts[sha].get(s, 0) for s in Severity} for sha in line if sha in counts]
    return answer(request, rows, len(rows))


def _deployments(history: History, request: Request) -> Response:
    limit, offset = _page(request)
    found = deployments(history, known_project(history, request), word(request, "environment") or None)
    names = ("environment", "sha", "outcome", "started_at", "finished_at", "target", "image", "replaced_sha", "reason")
    return answer(request, [{n: getattr(d, n) for n in names} for d in found[offset : offset + limit]], len(found))


def _dora(history: History, request: Request) -> Response:
    project, days = known_project(history, request), number(request, "days", 30, 1, 3650)
    places = [environment for name, environment in environments(history) if name == project]
    now = datetime.now(UTC)
    rows = [{"environment": place} | asdict(dora(history, project, place, now, days)) for place in places]
    return answer(request, rows, len(rows))


def _page(request: Request) -> tuple[int, int]:
    return number(request, "limit", 50, 1, MAX_PAGE), number(request, "offset", 0, 0, 10_000_000)


_PATHS: dict[str, Answer] = {
    "/projects": _projects,
    "/projects/{project}/commits": _commits,
    "/projects/{project}/findings": _findings,
    "/projects/{project}/findings/{fingerprint}": _finding,
    "/projects/{project}/live": _live,
    "/projects/{project}/trends": _trends,
    "/projects/{project}/deployments": _deployments,
    "/projects/{project}/dora": _dora,
}
