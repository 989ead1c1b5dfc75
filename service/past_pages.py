"""The routes of the pages that play the past again. Deliberately absent: their content (infraaudit/pages/audit/past.py)."""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from infraaudit.pages.audit import PAGES, ServiceLinks, past_of, render
from infraaudit.questions.asked import Asked, ProjectRules
from infraaudit.questions.marks import mark_of_line
from infraaudit.questions.parameters import values_of
from infraaudit.questions.table import asked_as
from resources.history import History
from service.audit import rules_of
from service.tables import refuse_unknown
from service.wanted import known_line


def past_routes(history: History, rules: Callable[[str], ProjectRules], dagster_url: str) -> list[Route]:
    """A page for each way to ask about the past."""
    return [_route(page, history, rules, dagster_url) for page in PAGES]


def _route(page: str, history: History, rules: Callable[[str], ProjectRules], dagster_url: str) -> Route:
    question = asked_as(PAGES[page][0])

    def respond(request: Request) -> Response:
        refuse_unknown(request, question.parameters)
        line, fault = known_line(history, request), ""
        try:
            given = values_of(question.parameters, request.query_params)
        except ValueError as error:
            given, fault = dict.fromkeys(question.parameters, "") | dict(request.query_params), str(error)
        asked = Asked(line, rules_of(rules, line.project), datetime.now(UTC), given)
        values = past_of(page, asked, ServiceLinks(line.project, dagster_url), fault)
        html = render("past.html", title=f"The past of {line.project}", provisional=mark_of_line(line), **values)
        return HTMLResponse(html, 400 if values["fault"] else 200, headers={"Cache-Control": "no-cache"})

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(respond, request)

    return Route(f"/projects/{{project}}/past/{page}", endpoint)
