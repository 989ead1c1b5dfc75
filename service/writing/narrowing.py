"""`POST …/findings/{fingerprint}/narrow`: have commits scanned until those of a finding can be named.

The answer is the state, never the result: a scan takes seconds, and the worker makes one after the other. The right to narrow
is needed, since it costs processor time. GET on the same path shows what is not known still.
"""

from dataclasses import asdict

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infraaudit.questions.question import Schema
from infraaudit.questions.table import QUESTIONS
from infraaudit.scans.unknown_events import one_finding
from infraaudit_domain.errors import NotThereError
from infraaudit_domain.judging.audit_log import Act, Actor, Via
from infraaudit_domain.judging.roles import Right
from infraaudit_domain.lifecycles.narrowing import MOST_SCANS
from resources.history import History
from resources.history.decisions.audit_log import log_act
from service.guard import require
from service.tables import number, refuse_unknown
from service.wanted import known_fingerprint, known_line
from service.workers.narrow_worker import MOST_WAITING, Narrowing, NarrowWorker

NARROW = next(question for question in QUESTIONS if question.name == "finding_narrow")
MOST_ASKED = 200
PARAMETERS: dict[str, Schema] = {
    "max_scans": {"type": "integer", "minimum": 1, "maximum": MOST_ASKED, "default": MOST_SCANS}
}


def narrow_route(history: History, worker: NarrowWorker) -> Route:
    """The route; what is asked for is done by the worker."""

    async def endpoint(request: Request) -> Response:
        name = require(request, Right.NARROW)
        project, finding, most = await run_in_threadpool(_wanted, history, request)
        asked = worker.ask(project, finding, most)
        if asked is None:
            raise HTTPException(503, f"{MOST_WAITING} findings wait already; try again later", {"Retry-After": "60"})
        client = request.client.host if request.client else ""
        actor = Actor(name or "a write token", Via.API, client)
        await run_in_threadpool(log_act, history, actor, Act.NARROW, project, finding)
        return JSONResponse(asdict(asked), 202)

    return Route(f"/api/v1{NARROW.path}", endpoint, methods=["POST"])


def _wanted(history: History, request: Request) -> tuple[str, str, int]:
    refuse_unknown(request, PARAMETERS)
    given, line = known_fingerprint(request), known_line(history, request)
    try:
        finding = one_finding(line, given)
    except NotThereError as error:
        raise HTTPException(404, str(error)) from error
    return line.project, finding, number(request, "max_scans", MOST_SCANS, 1, MOST_ASKED)


def note(asked: Narrowing | None) -> str:
    """What a page of what is not known says of a search; empty where there was none since the service started."""
    if asked is None:
        return ""
    scanned = f"{asked.scans} commit{'' if asked.scans == 1 else 's'} scanned"
    return f"{asked.state}: {asked.reason or scanned}"
