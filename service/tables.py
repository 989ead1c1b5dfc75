"""Rows as JSON or CSV, and the values of a query string. Every refusal names the parameter and what it may be."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infraaudit.questions.csv_text import csv_text, plain
from infraaudit.questions.question import Schema
from infraaudit.questions.table import MAX_TEXT
from infraaudit_domain.errors import excerpt

MAX_PAGE = 10_000
MAX_OFFSET = 10_000_000
PAGE_PARAMETERS: dict[str, Schema] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 50},
    "offset": {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
    "format": {"type": "string", "enum": ["", "json", "csv"], "default": "json"},
}
"""What every question takes beside its own parameters."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{0,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def refuse_unknown(request: Request, known: Collection[str]) -> None:
    """Raises HTTPException 400 for a repeated parameter, and for an unknown one with the list of those that exist."""
    names = [name for name, _ in request.query_params.multi_items()]
    if unknown := sorted(set(names) - set(known)):
        raise HTTPException(400, f"{unknown[0][:80]!r} is no parameter here; there are: {', '.join(sorted(known))}")
    # Only one of the values would count, and the others would be ignored silently.
    if repeated := next((name for name in known if names.count(name) > 1), ""):
        raise HTTPException(400, f"{repeated} is given more than once")


def number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number. Raises HTTPException 400."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", given, re.ASCII) or not low <= int(given) <= high:
        raise HTTPException(400, f"{name} is a whole number from {low} to {high}")
    return int(given)


def choice(request: Request, name: str, default: str, allowed: Sequence[str]) -> str:
    """One of some words; an empty one is the default. Raises HTTPException 400."""
    given = request.query_params.get(name, "") or default
    if given and given not in allowed:
        raise HTTPException(400, f"{name} is one of: {', '.join(allowed)}")
    return given


def word(request: Request, name: str) -> str:
    """A name, or nothing. Raises HTTPException 400."""
    given = request.query_params.get(name, "")
    if not _NAME.fullmatch(given):
        raise HTTPException(400, f"{name} is at most 64 letters, digits and . _ -")
    return given


def text(request: Request, name: str) -> str:
    """Free text to look for; it never becomes a pattern. Raises HTTPException 400."""
    given = request.query_params.get(name, "")
    if len(given) > MAX_TEXT or _CONTROL.search(given):
        raise HTTPException(400, f"{name} is at most {MAX_TEXT} characters, none of them a control character")
    return given


def page_answer(
    request: Request,
    columns: Sequence[str],
    rows: Sequence[dict[str, Any]],
    total: int,
    limit: int,
    offset: int,
    notes: Mapping[str, str],
) -> Response:
    """A page of rows with exactly these columns, as JSON or (``format=csv``) as CSV.

    ``notes`` are members of the JSON and headers of the CSV where they are not empty: ``no_data`` is why there are no
    rows yet, ``provisional`` why they may change.
    """
    count, notes = {"X-Total-Count": str(total)}, {name: text for name, text in notes.items() if text}
    if choice(request, "format", "json", ("json", "csv")) == "csv":
        headers = {f"X-{name.replace('_', '-').title()}": _ascii(text) for name, text in notes.items()}
        return Response(to_csv(columns, rows), media_type="text/csv; charset=utf-8", headers=count | headers)
    items = [{name: plain(row.get(name)) for name in columns} for row in rows]
    following = request.url.include_query_params(offset=offset + limit)
    # Without the host: behind a proxy the service knows another one than its client.
    more = f"{following.path}?{following.query}" if offset + limit < total else None
    page = {"items": items, "total": total, "limit": limit, "offset": offset, "next": more}
    return JSONResponse({**page, **notes}, headers=count)


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def to_csv(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """CSV with a header, also without rows; a cell that a spreadsheet would run as a formula is made text."""
    return csv_text(columns, ([_clean(row.get(name)) for name in columns] for row in rows), "\r\n")


def _clean(value: Any) -> Any:
    shown = plain(value)
    return excerpt(shown) if isinstance(shown, str) else shown
