"""Rows as JSON or CSV, a page at a time, and the query parameters that all of them share."""

import csv
import io
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infraaudit_assets.domain.errors import excerpt

MAX_PAGE = 500
_FORMULA = re.compile(r"^[=+\-@\t\r]")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number of the query string. Raises HTTPException 400 that names the limits."""
    given = request.query_params.get(name, "")
    if not given:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", given) or not low <= int(given) <= high:
        raise HTTPException(400, f"{name} is a whole number from {low} to {high}")
    return int(given)


def choice(request: Request, name: str, default: str, allowed: Sequence[str]) -> str:
    """One of some words of the query string. Raises HTTPException 400 that lists them."""
    given = request.query_params.get(name, default)
    if given and given not in allowed:
        raise HTTPException(400, f"{name} is one of: {', '.join(allowed)}")
    return given


def word(request: Request, name: str) -> str:
    """A name of the query string, or nothing. Raises HTTPException 400."""
    given = request.query_params.get(name, "")
    if given and not _NAME.fullmatch(given):
        raise HTTPException(400, f"{name} is at most 64 letters, digits and . _ -")
    return given


def text(request: Request, name: str) -> str:
    """Free text to look for; it never becomes a pattern. Raises HTTPException 400."""
    given = request.query_params.get(name, "")
    if len(given) > 200 or "\0" in given or not given.isprintable():
        raise HTTPException(400, f"{name} is at most 200 printable characters")
    return given


def answer(request: Request, rows: Sequence[dict[str, Any]], total: int | None = None) -> Response:
    """Rows as the request wants them: JSON, or CSV with ``format=csv``."""
    if choice(request, "format", "json", ("json", "csv")) == "csv":
        return Response(to_csv(rows), media_type="text/csv; charset=utf-8")
    body: dict[str, Any] = {"items": [{key: _plain(value) for key, value in row.items()} for row in rows]}
    return JSONResponse(body if total is None else body | {"total": total})


def to_csv(rows: Sequence[dict[str, Any]]) -> str:
    """CSV with a header; a cell that a spreadsheet would run as a formula is made text."""
    out = io.StringIO()
    writer = csv.writer(out)
    if rows:
        writer.writerow(rows[0])
    for row in rows:
        writer.writerow([_cell(value) for value in row.values()])
    return out.getvalue()


def _cell(value: Any) -> Any:
    plain = _plain(value)
    if not isinstance(plain, str):
        return plain
    clean = excerpt(plain)
    return f"'{clean}" if _FORMULA.match(clean) else clean


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
