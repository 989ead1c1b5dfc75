"""What a question may be asked with: each parameter as a JSON schema, which both faces validate by."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from infraaudit.questions.question import Schema
from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.reporting.columns import GROUPS, ORDERS, STEPS
from infraaudit_domain.reporting.path_filters import MOST_STARS, too_many_stars
from infraaudit_domain.scans.findings import Severity

MAX_TEXT, MAX_DOCUMENT = 200, 20_000
OUTCOMES = [outcome.value for outcome in Outcome]
SEVERITIES = [severity.value for severity in Severity]
STATUSES = ["open", "suppressed"]
ANY = "any"
_TEXT: Schema = {"type": "string", "maxLength": MAX_TEXT, "pattern": "^[^\\x00-\\x1f\\x7f]*$"}
MOMENT = "moment"
"""The ``format`` of a time, a day or a commit."""
REVISION = "revision"
"""The ``format`` of a commit: the service takes digits, ``live`` and ``head``; the program any branch or tag, too."""

PATHS = "paths"
"""The ``format`` of a file, a folder or a pattern."""


def one_of(values: object, help: str, default: str = "") -> Schema:
    return {"type": "string", "enum": ["", *values], "description": help} | ({"default": default} if default else {})  # type: ignore[misc]


def text(help: str) -> Schema:
    return _TEXT | {"description": help}


def paths(help: str) -> Schema:
    return _TEXT | {"format": PATHS, "description": help}


def name(help: str) -> Schema:
    return {"type": "string", "pattern": "^[A-Za-z0-9_.-]{0,64}$", "description": help}


def revision(help: str) -> Schema:
    return {"type": "string", "format": REVISION, "pattern": "^([0-9a-f]{7,64}|live|head)?$", "description": help}


def day(help: str) -> Schema:
    return {"type": "string", "format": "date", "description": help}


def moment_or_commit(help: str) -> Schema:
    return {
        "type": "string",
        "format": MOMENT,
        "maxLength": 64,
        "pattern": "^[0-9A-Za-z:+._/ -]*$",
        "description": help,
    }


def document(help: str) -> Schema:
    return {"type": "string", "format": "yaml", "maxLength": MAX_DOCUMENT, "description": help}


COMMIT = revision("Of this commit; by default of the newest.")
ENVIRONMENT = name("In this environment; by default in the first one of the project.")
ANY_ENVIRONMENT = name("Only this environment.")
OUTCOME = one_of(OUTCOMES, "Only deployments with this outcome.")
SINCE = day("From this day on, in UTC.")
FILTER: dict[str, Schema] = {
    "severity": one_of(SEVERITIES, "Only this severity."),
    "status": one_of((*STATUSES, ANY), "Only this status.", "open"),
    "framework": name("Only this framework of Checkov, for example terraform."),
    "check": text("Only this check, for example CKV_AWS_18."),
    "path": paths("Only this file or folder, or what a pattern matches, as in modules/*/main.tf."),
    "q": text("Only where this is part of the check, the file or the resource."),
    "order": one_of(ORDERS, "Sort by this.", "severity"),
}
TREND: dict[str, Schema] = {
    "by": one_of(GROUPS, "One row for each of these; without it, all findings are counted together."),
    "every": one_of(STEPS, "One row for each of these steps.", "commit"),
    "since": SINCE,
    "until": day("Up to this day, in UTC; the whole day counts."),
    "branch": text("The branch; by default the one that is deployed."),
    "order": one_of(("newest", "oldest"), "Which rows come first.", "newest"),
}


def parsed(name: str, schema: Schema, given: str) -> Any:
    """The value of a text that was given for a parameter. Raises ValueError that names the parameter and what it may be."""
    match schema["type"]:
        case "boolean":
            if given not in ("", "true", "false"):
                raise ValueError(f"{name} is true or false")
            return given == "true"
        case "integer" | "number" as kind:
            return _number(name, schema, given, kind)
        case _:
            return _text(name, schema, given)


def values_of(parameters: Mapping[str, Schema], given: Mapping[str, str]) -> dict[str, Any]:
    """The values of a query string, with the defaults of what it does not name. Raises ValueError."""
    return {
        name: parsed(name, schema, given[name]) if name in given else schema.get("default")
        for name, schema in parameters.items()
    }


def _number(name: str, schema: Schema, given: str, kind: str) -> float:
    pattern, low, high = r"[0-9]{1,9}", schema["minimum"], schema["maximum"]
    if kind == "number":
        pattern += r"(\.[0-9]{1,30})?"
    if not re.fullmatch(pattern, given, re.ASCII) or not low <= float(given) <= high:
        raise ValueError(f"{name} is a {'whole ' if kind == 'integer' else ''}number from {low} to {high}")
    return int(given) if given.isdecimal() else float(given)


def _text(name: str, schema: Schema, given: str) -> str:
    if (allowed := schema.get("enum")) and given not in allowed:
        raise ValueError(f"{name} is one of: {', '.join(filter(None, allowed))}")
    if schema.get("format") == "date":
        _day(name, given)
    if schema.get("format") == MOMENT and is_moment(given):
        _moment(name, given)
    if schema.get("format") == PATHS and too_many_stars(given):
        raise ValueError(f"{name} has at most {MOST_STARS} stars")
    if len(given) > schema.get("maxLength", len(given)):
        raise ValueError(f"{name} is at most {schema['maxLength']} characters")
    if (pattern := schema.get("pattern")) and not re.search(pattern.replace("$", r"\Z"), given, re.ASCII):
        raise ValueError(f"{name} is not of the form {pattern}")
    return given or schema.get("default", "")


def _day(name: str, given: str) -> date:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", given, re.ASCII):
            raise ValueError
        return date.fromisoformat(given)
    except ValueError as error:
        raise ValueError(f"{name} is a day, like 2026-01-31") from error


def is_moment(given: str) -> bool:
    """Whether a text is meant as a time or a day, and not as a commit."""
    return re.match(r"\d{4}-\d", given, re.ASCII) is not None


def _moment(name: str, given: str) -> None:
    try:
        datetime.fromisoformat(given)
    except ValueError as error:
        raise ValueError(f"{name} is a time, like 2026-01-31T14:03 or 2026-01-31T14:03+02:00, or a day") from error


def moment(given: str, end: bool = False) -> datetime | None:
    """The time in UTC that a day (its start, or its end) or an ISO time names; None for nothing."""
    if not given:
        return None
    if len(given) == len("2026-01-31"):
        return datetime.combine(date.fromisoformat(given), time.max if end else time.min, UTC)
    at = datetime.fromisoformat(given)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
