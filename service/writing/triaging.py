"""`POST …/triage`: decide of findings, of those that are named or of all that a filter finds; as `infraaudit triage` does.

A dry run needs the right as well. GET on the same path lists what is decided.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infraaudit.questions.asked import Asked, ProjectRules
from infraaudit.questions.parameters import parsed
from infraaudit.questions.question import Schema
from infraaudit.questions.table import QUESTIONS, asked_as
from infraaudit.triage.deciding import FILTERS, Decided, decide
from infraaudit_domain.errors import ConfigurationError, NotScannedError, NotThereError
from infraaudit_domain.judging.audit_log import Actor, Via
from infraaudit_domain.judging.roles import Right
from infraaudit_domain.judging.triage import FOR_GOOD, LONGEST_NAME, LONGEST_REASON, Action, Ruling
from resources.history import History
from service.audit import rules_of
from service.guard import require
from service.tables import refuse_unknown
from service.wanted import known_line
from service.writing.given import given_object

TRIAGE = next(question for question in QUESTIONS if question.name == "triage")
MOST_IDS = 200
_TEXT: Schema = {"type": "string"}
_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{7,32}$"}
_FILTER = {name: asked_as("findings").parameters[name] for name in FILTERS}
BODY: dict[str, Schema] = {
    "action": {"type": "string", "enum": [action.value for action in Action]},
    "reason": _TEXT | {"maxLength": LONGEST_REASON},
    "owner": _TEXT | {"maxLength": LONGEST_NAME},
    "expires": {"type": "string", "format": "date", "description": "The last day on which an acceptance counts"},
    "ids": {"type": "array", "items": _ID, "minItems": 1, "maxItems": MOST_IDS},
    "filter": {"type": "object", "properties": _FILTER, "additionalProperties": False},
    "dry_run": {"type": "boolean", "default": False, "description": "Only say of how many, and of which first"},
}
Rules = Callable[[str], ProjectRules]


def triage_route(history: History, rules: Rules) -> Route:
    """The route."""

    async def endpoint(request: Request) -> Response:
        name = require(request, Right.TRIAGE)
        given = await given_object(request, BODY)
        actor = Actor(name, Via.API, request.client.host if request.client else "")
        done = await run_in_threadpool(_done, history, rules, request, given, actor)
        dry = given.get("dry_run", False)
        return JSONResponse(asdict(done) | {"dry_run": dry}, 201 if done.recorded else 200)

    return Route(f"/api/v1{TRIAGE.path}", endpoint, methods=["POST"])


def _done(history: History, rules: Rules, request: Request, given: dict[str, Any], actor: Actor) -> Decided:
    refuse_unknown(request, ())
    try:
        ruling, ids, wanted, dry_run = _ruling(given), _ids(given), _filter(given), _is_dry(given)
        if ids and wanted:
            raise ValueError("give ids or a filter, not both")
        line = known_line(history, request)
        asked = Asked(line, rules_of(rules, line.project), datetime.now(UTC), wanted)
        return decide(asked, ids, ruling, actor, dry_run)
    except (NotThereError, NotScannedError) as error:
        raise HTTPException(404, str(error)) from error
    except (ValueError, ConfigurationError) as error:
        raise HTTPException(400, str(error)) from error


def _ruling(given: dict[str, Any]) -> Ruling:
    action = parsed("action", BODY["action"], _text(given, "action"))
    if not action:
        raise ValueError(f"action is one of {', '.join(Action)}")
    day = _text(given, "expires")
    try:
        expires = date.fromisoformat(day) if day else FOR_GOOD
    except ValueError as error:
        raise ValueError("expires is a day, like 2027-01-31") from error
    if day and action != Action.ACCEPT:
        raise ValueError("expires is for accept alone")
    return Ruling(Action(action), _text(given, "reason"), _text(given, "owner"), expires)


def _ids(given: dict[str, Any]) -> list[str]:
    ids = given.get("ids", [])
    if not isinstance(ids, list) or len(ids) > MOST_IDS or ("ids" in given and not ids):
        raise ValueError(f"ids is a list of 1 to {MOST_IDS} ids")
    return [str(parsed("an id", _ID, one if isinstance(one, str) and one else "?")) for one in ids]


def _filter(given: dict[str, Any]) -> dict[str, Any]:
    wanted = given.get("filter", {})
    if not isinstance(wanted, dict) or not wanted.keys() <= _FILTER.keys():
        raise ValueError(f"filter is an object with some of {', '.join(FILTERS)}")
    return {name: parsed(name, _FILTER[name], _text(wanted, name)) for name in wanted if wanted[name] != ""}


def _is_dry(given: dict[str, Any]) -> bool:
    dry_run = given.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise ValueError("dry_run is true or false")
    return dry_run


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError(f"{name} is a text")
    return value
