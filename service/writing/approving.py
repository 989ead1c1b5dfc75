"""`POST …/approvals`: let a commit into an environment. GET on the same path lists who let in what.

Whoever approves is somebody: only a token with a name and its role may (INFRAAUDIT_SERVICE_NAMED_TOKENS). The deployment itself
continues by the sensor that looks for it.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infraaudit.deploying.approving import Approved
from infraaudit.questions.parameters import parsed
from infraaudit.questions.question import Schema
from infraaudit.questions.table import QUESTIONS
from infraaudit_domain.errors import ConfigurationError, NotAllowedError, RepositoryError
from infraaudit_domain.judging.audit_log import Actor, Via
from infraaudit_domain.judging.roles import Right
from service.guard import require
from service.writing.given import given_object

APPROVALS = next(question for question in QUESTIONS if question.name == "approvals")
BODY: dict[str, Schema] = {
    "environment": {"type": "string", "pattern": "^[a-z0-9_-]{1,40}$"},
    "commit": {"type": "string", "pattern": "^[0-9a-f]{7,64}$"},
    "reason": {"type": "string", "maxLength": 2000, "pattern": "\\S"},
}

Approve = Callable[[str, str, str, Actor, str], Approved]
"""Of a project, an environment, a commit, a person and a reason. Raises InfraAuditError."""


def approve_route(approve: Approve) -> Route:
    """The route; what it does is given."""

    async def endpoint(request: Request) -> Response:
        name = require(request, Right.APPROVE)
        given = _values(await given_object(request, BODY))
        project = str(request.path_params["project"])
        actor = Actor(name, Via.API, request.client.host if request.client else "")
        done = await run_in_threadpool(_done, approve, project, given, actor)
        return JSONResponse(asdict(done) | {"enough": done.is_enough}, 201)

    return Route(f"/api/v1{APPROVALS.path}", endpoint, methods=["POST"])


def _done(approve: Approve, project: str, given: dict[str, str], actor: Actor) -> Approved:
    try:
        return approve(project, given["environment"], given["commit"], actor, given["reason"])
    except NotAllowedError as error:
        raise HTTPException(403, str(error)) from error
    except (ConfigurationError, RepositoryError) as error:
        raise HTTPException(404, str(error)) from error


def _values(given: dict[str, Any]) -> dict[str, str]:
    if set(given) != set(BODY):
        raise HTTPException(400, f"the body is an object with {', '.join(BODY)}")
    try:
        return {name: str(parsed(name, schema, _text(name, given[name]))) for name, schema in BODY.items()}
    except ValueError as error:
        raise HTTPException(400, str(error)) from error


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str) or not given:
        raise ValueError(f"{name} is a text")
    return given
