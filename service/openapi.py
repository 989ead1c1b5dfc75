"""The OpenAPI document of the trend API, made from its paths."""

import re
from collections.abc import Iterable
from typing import Any

_COMMON: dict[str, Any] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
    "offset": {"type": "integer", "minimum": 0, "maximum": 10_000_000, "default": 0},
    "format": {"type": "string", "enum": ["json", "csv"], "default": "json"},
}
_FINDINGS: dict[str, Any] = {
    "severity": {"type": "string", "enum": ["critical", "high", "medium", "low", "info", "unknown"]},
    "status": {"type": "string", "enum": ["open", "suppressed"], "default": "open"},
    "framework": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
    "q": {"type": "string", "maxLength": 200},
}
_EXTRA: dict[str, dict[str, Any]] = {
    "/projects/{project}/findings": _FINDINGS | {"commit": {"type": "string", "pattern": "^[0-9a-f]{7,64}$"}},
    "/projects/{project}/live": _FINDINGS,
    "/projects/{project}/deployments": {"environment": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}},
    "/projects/{project}/dora": {"days": {"type": "integer", "minimum": 1, "maximum": 3650, "default": 30}},
}


def describe(paths: Iterable[str]) -> dict[str, Any]:
    """The document for these paths."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "InfraAudit trend API", "version": "1"},
        "paths": {f"/api/v1{path}": {"get": _operation(path)} for path in paths},
    }


def _operation(path: str) -> dict[str, Any]:
    in_path = [_parameter(name, "path", {"type": "string"}) for name in re.findall(r"{(\w+)}", path)]
    in_query = [_parameter(name, "query", schema) for name, schema in {**_COMMON, **_EXTRA.get(path, {})}.items()]
    rows = {
        "type": "object",
        "required": ["items"],
        "properties": {"items": {"type": "array", "items": {"type": "object"}}},
    }
    good = {
        "description": "Rows",
        "content": {"application/json": {"schema": rows}, "text/csv": {"schema": {"type": "string"}}},
    }
    bad = {"description": "What is wrong", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "summary": path.rpartition("/")[2].strip("{}"),
        "parameters": in_path + in_query,
        "responses": {"200": good, "400": bad, "401": bad, "404": bad, "503": bad},
    }


def _parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}
