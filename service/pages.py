"""The audit page: rendered here, without a script; filters live in the URL, every table is also CSV and JSON.

Whatever a commit's author controls (subjects, paths, resources, reasons) is escaped by the templates.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from infraaudit_assets.domain.errors import excerpt
from infraaudit_assets.domain.findings import Severity
from resources.history import History
from resources.history.queries import open_by_severity
from resources.history.queries.audit import FindingFilter, commit_rows, finding_life, findings_at, main_line
from resources.history.queries.places import dora, environments, project_names
from service.api import known_project, wanted_commit, wanted_findings
from service.tables import number
from service.trend_svg import Bar, draw

PAGE = 50
TREND_COMMITS = 60


def page_routes(history: History, dagster_url: str) -> list[Route]:
    """The routes of the audit page."""
    pages = _Pages(history, dagster_url)

    def route(path: str, render: Any) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                return await run_in_threadpool(render, request)
            except HTTPException as error:
                return pages.render("error.html", status=error.status_code, title="Not found", reason=error.detail)

        return Route(path, endpoint)

    return [
        route("/", pages.home),
        route("/projects/{project}", pages.project),
        route("/projects/{project}/findings", pages.findings),
        route("/projects/{project}/findings/{fingerprint}", pages.finding),
    ]


class _Pages:
    def __init__(self, history: History, dagster_url: str) -> None:
        self._history, self._dagster_url = history, dagster_url.rstrip("/")
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "ago": _ago,
            "span": _span,
            "clean": lambda value: excerpt(str(value), 400),
            "day": _day,
        }

    def render(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        page = self._templates.get_template(template)
        return HTMLResponse(page.render(severities=list(Severity), **values), status_code=status)

    def home(self, request: Request) -> Response:
        names = project_names(self._history)
        if len(names) == 1:
            return RedirectResponse(f"/projects/{names[0]}")
        return self.render("home.html", title="Projects", projects=names)

    def project(self, request: Request) -> Response:
        project = known_project(self._history, request)
        offset = number(request, "offset", 0, 0, 10_000_000)
        line = main_line(self._history, project)
        commits = commit_rows(self._history, project, line[offset : offset + PAGE])
        return self.render(
            "project.html",
            title=project,
            project=project,
            picture=draw(self._bars(project, line[:TREND_COMMITS])),
            places=self._places(project),
            commits=commits,
            total=len(line),
            offset=offset,
            page=PAGE,
            dagster_url=self._dagster_url,
        )

    def findings(self, request: Request) -> Response:
        project = known_project(self._history, request)
        sha = wanted_commit(self._history, project, request)
        wanted, offset = wanted_findings(request), number(request, "offset", 0, 0, 10_000_000)
        total, rows = findings_at(self._history, project, sha, wanted, PAGE, offset)
        query = {
            "commit": sha,
            "severity": wanted.severity,
            "status": wanted.status,
            "framework": wanted.framework,
            "q": wanted.text,
        }
        return self.render(
            "findings.html",
            title=f"Findings of {project}",
            project=project,
            sha=sha,
            wanted=wanted,
            rows=rows,
            total=total,
            offset=offset,
            page=PAGE,
            query=urlencode({key: value for key, value in query.items() if value}),
        )

    def finding(self, request: Request) -> Response:
        project = known_project(self._history, request)
        life = finding_life(self._history, project, str(request.path_params["fingerprint"])[:64])
        if life is None:
            raise HTTPException(404, "no such finding")
        return self.render("finding.html", title=life.finding["check_id"], project=project, life=life)

    def _bars(self, project: str, newest_first: list[str]) -> list[Bar]:
        counts = open_by_severity(self._history, project, newest_first)
        rows = {row["sha"]: row for row in commit_rows(self._history, project, newest_first)}
        return [
            Bar(
                sha,
                rows[sha]["subject"],
                counts[sha],
                rows[sha]["deployment"],
                f"/projects/{project}/findings?commit={sha}",
            )
            for sha in reversed(newest_first)
            if sha in counts and sha in rows and rows[sha]["scan"] != "failed"
        ]

    def _places(self, project: str) -> list[dict[str, Any]]:
        """Every environment: what is live, its findings, the four measures."""
        now = datetime.now(UTC)
        places: list[dict[str, Any]] = []
        for name, environment in environments(self._history):
            if name != project:
                continue
            live = self._history.live(project, environment)
            open_now = findings_at(self._history, project, live.sha, FindingFilter(), 8, 0) if live else (0, [])
            counts = open_by_severity(self._history, project, [live.sha]).get(live.sha, {}) if live else {}
            commit = commit_rows(self._history, project, [live.sha]) if live else []
            places.append(
                {
                    "name": environment,
                    "live": live,
                    "commit": commit[0] if commit else None,
                    "dora": dora(self._history, project, environment, now),
                    "total": open_now[0],
                    "worst": open_now[1],
                    "counts": counts,
                }
            )
        return places


def _ago(moment: datetime) -> str:
    return f"{_span((datetime.now(UTC) - moment).total_seconds())} ago"


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _span(seconds: float | None) -> str:
    """A length of time in its largest two units that matter."""
    if seconds is None:
        return "—"
    length = timedelta(seconds=max(0.0, seconds))
    if length.days:
        return f"{length.days} d {length.seconds // 3600} h"
    minutes, rest = divmod(length.seconds, 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{rest} s"
