"""The trend API under /api/v1: JSON or CSV, paged, written by narrowing, approvals and triage alone. /api/v1/openapi.json describes it.

A query parameter that a path does not know is refused: a filter that is misspelt would else silently be none.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infraaudit.questions.answers import answer, export, no_data
from infraaudit.questions.asked import Asked, ProjectRules
from infraaudit.questions.marks import mark
from infraaudit.questions.parameters import values_of
from infraaudit.questions.question import Question
from infraaudit.questions.table import EXPORT, EXPORT_TYPES, QUESTIONS
from infraaudit_domain.errors import ConfigurationError, NotScannedError, NotThereError, RepositoryError
from infraaudit_domain.judging.roles import Right
from resources.history import History
from resources.history.stored_line import StoredLine
from service.audit import rules_of
from service.guard import require
from service.openapi import describe
from service.tables import PAGE_PARAMETERS, page_answer, refuse_unknown
from service.wanted import known_fingerprint, known_line, page_of
from service.workers.narrow_worker import NarrowWorker
from service.writing.approving import Approve, approve_route
from service.writing.narrowing import NARROW, narrow_route, note
from service.writing.triaging import triage_route

Rules = Callable[[str], ProjectRules]
Respond = Callable[[Request], Response]


def api_routes(
    history: History,
    rules: Rules,
    secured: bool = False,
    narrowing: NarrowWorker | None = None,
    approve: Approve | None = None,
) -> list[Route]:
    """The routes of the trend API; ``secured`` is whether the document says that a token is needed.

    Without a worker nothing can be asked to be narrowed, and nothing approved without ``approve``.
    """
    document = describe(secured, bool(narrowing), bool(approve))

    async def openapi(_: Request) -> Response:
        return JSONResponse(document)

    return [
        Route("/api/v1/openapi.json", openapi),
        *([narrow_route(history, narrowing)] if narrowing else ()),
        *([approve_route(approve)] if approve else ()),
        triage_route(history, rules),
        *(_route(question, _table(history, question, rules, narrowing)) for question in QUESTIONS),
        _route(EXPORT, _document(history, rules)),
    ]


def _route(question: Question, respond: Respond) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return await run_in_threadpool(respond, request)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        except (NotThereError, NotScannedError, RepositoryError) as error:
            raise HTTPException(404, str(error)) from error
        except ConfigurationError as error:
            raise HTTPException(400, str(error)) from error

    return Route(f"/api/v1{question.path}", endpoint)


def _table(history: History, question: Question, rules: Rules, narrowing: NarrowWorker | None) -> Respond:
    def respond(request: Request) -> Response:
        if question.name == "audit_log":
            require(request, Right.AUDIT)
        refuse_unknown(request, {**question.parameters, **PAGE_PARAMETERS})
        limit, offset = page_of(request)
        asked = _asked(history, question, rules, request, limit, offset)
        rows, total = answer(question, asked)
        notes = {"no_data": no_data(question, asked), "provisional": mark(question, asked.line)}
        if narrowing and question is NARROW:
            notes["narrowing"] = note(narrowing.of(asked.project, asked.text("fingerprint")))
        return page_answer(request, question.names, rows, total, limit, offset, notes)

    return respond


def _document(history: History, rules: Rules) -> Respond:
    def respond(request: Request) -> Response:
        refuse_unknown(request, EXPORT.parameters)
        asked = _asked(history, EXPORT, rules, request)
        return Response(export(asked).encode("utf-8", "replace"), media_type=EXPORT_TYPES[asked.text("format")])

    return respond


def _asked(history: History, question: Question, rules: Rules, request: Request, *page: int) -> Asked:
    given = values_of(question.parameters, request.query_params)
    if "{project}" not in question.path:
        return Asked(StoredLine(history, "", "", []), ProjectRules(), datetime.now(UTC), given, *page)
    if "{fingerprint}" in question.path:
        given["fingerprint"] = known_fingerprint(request)
    line = known_line(history, request)
    return Asked(line, rules_of(rules, line.project), datetime.now(UTC), given, *page)
