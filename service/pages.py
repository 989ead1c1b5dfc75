"""The routes of the audit page: parse the query string, render HTML.

Deliberately absent: the content and layout of a page (infraaudit/pages/audit), shared with the file kept for each
commit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from infraaudit.pages.audit import (
    PROJECT_ORDERS,
    WINDOWS,
    ServiceLinks,
    Wanted,
    commit_of,
    deployments_of,
    finding_of,
    findings_of,
    overview,
    project_cards,
    render,
)
from infraaudit.questions.asked import ProjectRules
from infraaudit.questions.marks import mark_of_line
from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.reporting.columns import ORDERS
from infraaudit_domain.reporting.recipients import unheard
from resources.history import History
from resources.history.queries.commit_pages import CommitFilter
from resources.history.queries.environments import recorded_projects
from resources.history.queries.finding_pages import frameworks_of
from resources.history.stored_line import StoredLine, stored_line
from service.audit import rules_of
from service.tables import choice, number, text, word
from service.wanted import (
    known_fingerprint,
    known_line,
    offset_of,
    wanted_commit,
    wanted_findings,
)

PAGE = 50
_DAYS = (7, 30, 90, 365)
_OUTCOMES = [outcome.value for outcome in Outcome]


@dataclass(frozen=True, slots=True)
class Shown:
    """What every page is made from."""

    history: History
    dagster_url: str
    rules: Callable[[str], ProjectRules]
    addresses: Mapping[str, int]
    """How many would be notified of a failing test, of each project that is configured."""


def page_routes(
    history: History, dagster_url: str, rules: Callable[[str], ProjectRules], addresses: Mapping[str, int]
) -> list[Route]:
    """The routes of the audit page."""
    shown = Shown(history, dagster_url, rules, addresses)

    def route(path: str, respond: Callable[[Shown, Request], Response]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(respond, shown, request)

        return Route(path, endpoint)

    return [
        route("/", _home),
        route("/projects/{project}", _overview),
        route("/projects/{project}/findings", _findings),
        route("/projects/{project}/findings/{fingerprint}", _finding),
        route("/projects/{project}/commits/{sha}", _commit),
        route("/projects/{project}/deployments", _deployments),
    ]


def refusal_page(status: int, reason: str) -> Response:
    """The page that explains why a request was refused."""
    title = {404: "Not found", 503: "That did not work"}.get(status, "That cannot be shown")
    return _html("error.html", status, title=title, reason=reason)


def _home(shown: Shown, request: Request) -> Response:
    names = recorded_projects(shown.history)
    if len(names) == 1:
        return RedirectResponse(f"/projects/{names[0]}")
    order = choice(request, "order", "worst", tuple(PROJECT_ORDERS))
    cards = project_cards(shown.history, [stored_line(shown.history, name) for name in names], order)
    return _html("home.html", title="Projects", cards=cards, order=order)


def _overview(shown: Shown, request: Request) -> Response:
    line = known_line(shown.history, request)
    wanted = Wanted(
        commits=CommitFilter(text(request, "q"), choice(request, "outcome", "", _OUTCOMES)),
        window=choice(request, "window", "60", tuple(WINDOWS)) or "60",
        days=number(request, "days", 30, 1, 3650),
        limit=PAGE,
        offset=offset_of(request),
    )
    values = overview(line, wanted, _links(line, shown.dagster_url), _now())
    note = unheard(line.project) if shown.addresses.get(line.project) == 0 else ""
    choices = {"windows": list(WINDOWS), "day_choices": _DAYS, "outcomes": _OUTCOMES, "unheard": note}
    return _page("project.html", line, title=line.project, **values | choices)


def _findings(shown: Shown, request: Request) -> Response:
    line = known_line(shown.history, request)
    sha, wanted = wanted_commit(line, request), wanted_findings(request)
    page, hiding = (PAGE, offset_of(request)), rules_of(shown.rules, line.project).suppressions
    values = findings_of(line, sha, wanted, _links(line, shown.dagster_url), _now(), *page, hiding)
    choices = {"frameworks": frameworks_of(line, sha), "orders": ORDERS}
    asked = sha if request.query_params.get("commit") else ""
    return _page("findings.html", line, title=f"Findings of {line.project}", asked=asked, **values | choices)


def _finding(shown: Shown, request: Request) -> Response:
    line = known_line(shown.history, request)
    rules = rules_of(shown.rules, line.project)
    values = finding_of(line, known_fingerprint(request), _links(line, shown.dagster_url), rules, _now().date())
    if values is None:
        raise HTTPException(404, "No commit of this project ever had this finding.")
    return _page("finding.html", line, title=values["life"].finding["check_id"], **values)


def _commit(shown: Shown, request: Request) -> Response:
    line = known_line(shown.history, request)
    sha = wanted_commit(line, request, str(request.path_params["sha"]))
    values = commit_of(line, sha, _links(line, shown.dagster_url))
    if values is None:
        raise HTTPException(404, "This commit has not been recorded.")
    return _page("commit.html", line, title=f"{sha[:7]} of {line.project}", **values)


def _deployments(shown: Shown, request: Request) -> Response:
    line = known_line(shown.history, request)
    environment, outcome = word(request, "environment"), choice(request, "outcome", "", _OUTCOMES)
    values = deployments_of(line, environment, outcome, _links(line, shown.dagster_url), PAGE, offset_of(request))
    return _html("deployments.html", title=f"Deployments of {line.project}", outcomes=_OUTCOMES, **values)


def _page(template: str, line: StoredLine, **values: Any) -> HTMLResponse:
    return _html(template, provisional=mark_of_line(line), **values)


def _html(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(render(template, **values), status_code=status, headers={"Cache-Control": "no-cache"})


def _links(line: StoredLine, dagster_url: str) -> ServiceLinks:
    return ServiceLinks(line.project, dagster_url)


def _now() -> datetime:
    return datetime.now(UTC)
