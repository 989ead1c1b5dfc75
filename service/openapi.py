"""The OpenAPI document of the trend API, generated from the table of questions.

Not FastAPI, which was tried: the table already declares each parameter as a JSON schema with one parser, so only this
document would go (22 lines fewer in all), while the service starts 1.5 CPU seconds later, takes 15 MB more and needs
a second route for each HEAD. Its own parsing of numbers ("1_0", " 5 ") is looser than the schema it publishes.
"""

import re
from collections.abc import Mapping
from typing import Any

from infraaudit.questions.question import Column, Question, Schema
from infraaudit.questions.table import EXPORT, EXPORT_TYPES, QUESTIONS
from service.tables import PAGE_PARAMETERS
from service.workers.narrow_worker import NarrowState
from service.writing.approving import APPROVALS, BODY
from service.writing.narrowing import NARROW, PARAMETERS
from service.writing.triaging import BODY as TRIAGE_BODY
from service.writing.triaging import TRIAGE

_IN_PATH: dict[str, Schema] = {
    "project": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
    "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
}
_REFUSALS = {"400": "A parameter is wrong", "404": "Not found", "503": "The history cannot be read now"}
_STATE: dict[str, Schema] = {
    "project": {"type": "string"},
    "finding": {"type": "string"},
    "max_scans": {"type": "integer"},
    "state": {"type": "string", "enum": [state.value for state in NarrowState]},
    "scans": {"type": "integer", "description": "Commits scanned for it so far"},
    "reason": {"type": "string", "description": "Why it failed"},
}
_APPROVED: dict[str, Schema] = {
    **{name: {"type": "string"} for name in ("project", "environment", "sha", "approved_by")},
    "approvals": {"type": "integer", "description": "That count so far"},
    "needed": {"type": "integer"},
    "enough": {"type": "boolean"},
}
_DECIDED: dict[str, Schema] = {
    "action": {"type": "string"},
    "findings": {"type": "integer", "description": "Of which it was recorded, or would be"},
    "unchanged": {"type": "integer", "description": "For which it stands already"},
    "recorded": {"type": "boolean"},
    "first": {"type": "array", "items": {"type": "object"}},
    "dry_run": {"type": "boolean"},
}
_DOCUMENT = {
    "description": "The whole document",
    "content": {kind.partition(";")[0]: {"schema": {}} for kind in EXPORT_TYPES.values()},
}


def describe(secured: bool, can_narrow: bool = False, can_approve: bool = False) -> dict[str, Any]:
    """The document; with ``secured`` it states that a token is needed, with the others how findings are narrowed and
    commits approved."""
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "InfraAudit trend API",
            "version": "1",
            "description": "What the history knows. Every table is JSON or CSV, a page at a time.",
        },
        "paths": {f"/api/v1{each.path}": {"get": _operation(each, secured)} for each in (*QUESTIONS, EXPORT)},
        "components": {
            "schemas": {"Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}}
        },
    }
    document["paths"][f"/api/v1{TRIAGE.path}"]["post"] = _triaging()
    if can_narrow:
        document["paths"][f"/api/v1{NARROW.path}"]["post"] = _narrowing()
    if can_approve:
        document["paths"][f"/api/v1{APPROVALS.path}"]["post"] = _approving()
    if secured:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _operation(question: Question, secured: bool) -> dict[str, Any]:
    parameters = {**question.parameters, **(PAGE_PARAMETERS if question.columns else {})}
    refusals = {"401": "A token is needed"} if secured else {}
    if secured and question.name == "audit_log":
        refusals["403"] = "The token has not the right to read it"
    return {
        "summary": question.help,
        "operationId": "_".join(re.findall(r"\w+", question.path)),
        "parameters": _parameters(question, parameters),
        "responses": {
            "200": _page(question.columns) if question.columns else _DOCUMENT,
            **_refused(_REFUSALS | refusals),
        },
    }


def _narrowing() -> dict[str, Any]:
    state = {"type": "object", "required": list(_STATE), "properties": _STATE}
    return {
        "summary": "Scan by bisection what is needed to name the commits of one finding, in the background.",
        "operationId": f"ask_{NARROW.name}",
        "parameters": _parameters(NARROW, PARAMETERS),
        "responses": {
            "202": {"description": "How far it is", "content": {"application/json": {"schema": state}}},
            **_refused(
                _REFUSALS
                | {
                    "401": "A token is needed",
                    "403": "The token has not the right to narrow",
                    "503": "Too many findings wait",
                }
            ),
        },
    }


def _approving() -> dict[str, Any]:
    body = {"type": "object", "required": list(BODY), "properties": BODY, "additionalProperties": False}
    done = {"type": "object", "required": list(_APPROVED), "properties": _APPROVED}
    return {
        "summary": "Let a commit into an environment; once it has all its approvals, it is deployed by itself.",
        "operationId": "approve",
        "parameters": _parameters(APPROVALS, {}),
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "201": {"description": "How far its approvals are", "content": {"application/json": {"schema": done}}},
            **_refused(_REFUSALS | {"401": "A token is needed", "403": "The token has not the right to approve, or it would not count",
                                    "413": "The body is too large"}),
        },
    }  # fmt: skip


def _triaging() -> dict[str, Any]:
    body = {"type": "object", "required": ["action"], "properties": TRIAGE_BODY, "additionalProperties": False}
    done = {"type": "object", "required": list(_DECIDED), "properties": _DECIDED}
    said = {"application/json": {"schema": done}}
    return {
        "summary": "Decide on findings by ids, or on all that a filter finds; as `infraaudit triage` does.",
        "operationId": "decide",
        "parameters": _parameters(TRIAGE, {}),
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "Nothing was recorded: a dry run, or it stands already", "content": said},
            "201": {"description": "What was recorded", "content": said},
            **_refused(_REFUSALS | {"401": "A token is needed", "403": "The token has not the right to triage",
                                    "413": "The body is too large"}),
        },
    }  # fmt: skip


def _parameters(question: Question, in_query: Mapping[str, Schema]) -> list[dict[str, Any]]:
    in_path = [_parameter(name, "path", _IN_PATH[name]) for name in re.findall(r"{(\w+)}", question.path)]
    return in_path + [_parameter(name, "query", schema) for name, schema in in_query.items()]


def _refused(reasons: Mapping[str, str]) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": reason, "content": error} for status, reason in reasons.items()}


def _page(columns: tuple[Column, ...]) -> dict[str, Any]:
    return {
        "description": "A page of rows",
        "headers": {"X-Total-Count": {"description": "Rows on every page", "schema": {"type": "integer"}}},
        "content": {
            "application/json": {"schema": _rows(columns)},
            "text/csv": {"schema": {"type": "string"}},
        },
    }


def _rows(columns: tuple[Column, ...]) -> Schema:
    row = {
        "type": "object",
        "required": [column.name for column in columns],
        "properties": {column.name: {"type": [column.type, "null"]} for column in columns},
        "additionalProperties": False,
    }
    whole = {"type": "integer", "minimum": 0}
    properties = {
        "items": {"type": "array", "items": row}, "total": whole, "limit": whole, "offset": whole,
        "next": {"type": ["string", "null"], "description": "The address of the next page"},
    }  # fmt: skip
    notes = {
        "no_data": {"type": "string", "description": "Why there can be no rows yet, and what to do"},
        "provisional": {"type": "string", "description": "Why rows may change: an upgrade is under way"},
        "narrowing": {"type": "string", "description": "How far the search is that a POST on this path asked for"},
    }
    return {"type": "object", "required": list(properties), "properties": properties | notes}


def _parameter(name: str, location: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": location, "required": location == "path", "schema": schema}
