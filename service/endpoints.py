"""What each path of the trend API takes and gives; the API answers by it and the OpenAPI document tells it."""

from dataclasses import dataclass, field, fields
from typing import Any

from infraaudit_domain.deployments import Outcome
from infraaudit_domain.dora import Dora
from resources.history.queries.finding_pages import ORDERS
from resources.history.queries.trends import GROUPS, STEPS, TREND_COLUMNS
from service.tables import MAX_OFFSET, MAX_PAGE, MAX_TEXT
from service.wanted import SEVERITIES, STATUSES

Schema = dict[str, Any]
OUTCOMES = [outcome.value for outcome in Outcome]

_PAGE: dict[str, Schema] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 50},
    "offset": {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
    "format": {"type": "string", "enum": ["", "json", "csv"], "default": "json"},
}
_NAME: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{0,64}$"}
_TEXT: Schema = {"type": "string", "maxLength": MAX_TEXT, "pattern": "^[^\\x00-\\x1f\\x7f]*$"}
_DAY: Schema = {"type": "string", "format": "date"}
_COMMIT: Schema = {"type": "string", "pattern": "^([0-9a-f]{7,64})?$", "description": "by default the newest scanned"}
_FINDINGS: dict[str, Schema] = {
    "severity": {"type": "string", "enum": ["", *SEVERITIES]},
    "status": {"type": "string", "enum": ["", *STATUSES], "default": "open"},
    "framework": _NAME,
    "q": _TEXT | {"description": "part of the check, the file or the resource"},
    "order": {"type": "string", "enum": ["", *ORDERS], "default": "severity"},
}
_OUTCOME: Schema = {"type": "string", "enum": ["", *OUTCOMES]}
_FINDING_COLUMNS = (
    "id", "framework", "check_id", "check_name", "severity", "status", "file_path", "resource", "line_start",
    "line_end", "introduced_by", "introduced_at", "author", "opened_by", "opened_at", "age_days",
    "suppression_reason", "guideline",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Endpoint:
    summary: str
    columns: tuple[str, ...]
    parameters: dict[str, Schema] = field(default_factory=dict)


PATHS: dict[str, Endpoint] = {
    "/projects": Endpoint("Every project", ("name",)),
    "/projects/{project}/commits": Endpoint(
        "Commits of the deploy branch, newest first, with what the pipeline did to each",
        (
            "sha", "subject", "author", "committed_at", "image", "size_bytes", "build_seconds", "reused_from", "passed",
            "failed", "errors", "skipped", "scan", "open", "introduced", "fixed", "reopened", "suppressed",
            "deployment", "environment", "deployment_reason", "stopped_by", "run_id",
        ),
        {"q": _TEXT | {"description": "part of the subject, the author or the SHA"}, "outcome": _OUTCOME},
    ),
    "/projects/{project}/changes": Endpoint(
        "Findings that one commit introduced, reopened, moved, suppressed and fixed",
        (
            "commit", "change", "cause", "severity", "check_id", "check_name", "framework", "file_path", "resource",
            "line_start", "id",
        ),
        {"commit": _COMMIT},
    ),
    "/projects/{project}/stages": Endpoint(
        "Stages that ran for one commit",
        ("commit", "stage", "outcome", "started_at", "finished_at", "seconds", "run_id", "reason"),
        {"commit": _COMMIT},
    ),
    "/projects/{project}/tests": Endpoint(
        "Test cases of one commit, what did not pass first",
        ("commit", "name", "outcome", "seconds", "message"),
        {"commit": _COMMIT},
    ),
    "/projects/{project}/findings": Endpoint(
        "Findings of one commit", ("commit", *_FINDING_COLUMNS), _FINDINGS | {"commit": _COMMIT}
    ),
    "/projects/{project}/findings/{fingerprint}": Endpoint(
        "The life of one finding, oldest event first",
        (
            "life", "event", "cause", "commit", "at", "author", "subject", "id", "severity", "check_id", "check_name",
            "file_path", "resource", "line_start", "suppression_reason",
        ),
    ),
    "/projects/{project}/findings/{fingerprint}/live": Endpoint(
        "From when to when one finding was live", ("environment", "live_from", "live_to")
    ),
    "/projects/{project}/live": Endpoint(
        "Findings that are live now",
        ("environment", "live", "live_since", *_FINDING_COLUMNS),
        _FINDINGS | {"environment": _NAME},
    ),
    "/projects/{project}/trends": Endpoint(
        "Open, introduced, fixed, reopened and suppressed findings over time, newest first",
        TREND_COLUMNS,
        {
            "by": {"type": "string", "enum": ["", *GROUPS]},
            "every": {"type": "string", "enum": ["", *STEPS], "default": "commit"},
            "since": _DAY,
            "until": _DAY,
        },
    ),
    "/projects/{project}/deployments": Endpoint(
        "Deployments that were tried or skipped, newest first",
        (
            "environment", "sha", "subject", "author", "outcome", "started_at", "finished_at", "target", "image",
            "replaced_sha", "reason",
        ),
        {"environment": _NAME, "outcome": _OUTCOME},
    ),
    "/projects/{project}/dora": Endpoint(
        "The four DORA measures of each environment",
        ("environment", *(each.name for each in fields(Dora))),
        {
            "environment": _NAME,
            "days": {"type": "integer", "minimum": 1, "maximum": 3650, "default": 30},
        },
    ),
}  # fmt: skip


def parameters_of(path: str) -> dict[str, Schema]:
    """Every query parameter of a path."""
    return {**PATHS[path].parameters, **_PAGE}
