"""The OpenAPI document of the trend API, made from what its paths take and give."""

import re
from typing import Any

from service.endpoints import PATHS, Schema, parameters_of

_WHOLE = {
    "line_start", "line_end", "size_bytes", "passed", "failed", "errors", "skipped", "open", "introduced", "fixed",
    "reopened", "suppressed", "attempts", "deployed",
}  # fmt: skip
_NUMBERS = {
    "seconds",
    "build_seconds",
    "age_days",
    "days",
    "per_day",
    "lead_seconds",
    "failure_ratio",
    "restore_seconds",
}
_TRUTHS = {"incident_open"}
_IN_PATH: dict[str, Schema] = {
    "project": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
    "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
}
_REFUSALS = {"400": "A parameter is wrong", "404": "There is no such thing", "503": "The history cannot be read now"}


def describe(secured: bool) -> dict[str, Any]:
    """The document; with ``secured`` it asks for a token."""
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "InfraAudit trend API",
            "version": "1",
            "description": "What the history knows, read only. Every table is JSON or CSV, a page at a time.",
        },
        "paths": {f"/api/v1{path}": {"get": _operation(path, secured)} for path in PATHS},
        "components": {
            "schemas": {"Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}}
        },
    }
    if secured:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _operation(path: str, secured: bool) -> dict[str, Any]:
    in_path = [_parameter(name, "path", _IN_PATH[name]) for name in re.findall(r"{(\w+)}", path)]
    in_query = [_parameter(name, "query", schema) for name, schema in parameters_of(path).items()]
    refusals = _REFUSALS | ({"401": "A token is needed"} if secured else {})
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "summary": PATHS[path].summary,
        "operationId": "_".join(re.findall(r"\w+", path)),
        "parameters": in_path + in_query,
        "responses": {
            "200": {
                "description": "A page of rows",
                "headers": {"X-Total-Count": {"description": "Rows on every page", "schema": {"type": "integer"}}},
                "content": {
                    "application/json": {"schema": _rows(PATHS[path].columns)},
                    "text/csv": {"schema": {"type": "string"}},
                },
            },
            **{status: {"description": told, "content": error} for status, told in refusals.items()},
        },
    }


def _rows(columns: tuple[str, ...]) -> Schema:
    row = {
        "type": "object",
        "required": list(columns),
        "properties": {name: {"type": [_type(name), "null"]} for name in columns},
        "additionalProperties": False,
    }
    whole = {"type": "integer", "minimum": 0}
    properties = {
        "items": {"type": "array", "items": row}, "total": whole, "limit": whole, "offset": whole,
        "next": {"type": ["string", "null"], "description": "The address of the next page"},
    }  # fmt: skip
    return {"type": "object", "required": list(properties), "properties": properties}


def _type(column: str) -> str:
    if column in _WHOLE:
        return "integer"
    if column in _NUMBERS:
        return "number"
    return "boolean" if column in _TRUTHS else "string"


def _parameter(name: str, place: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}
