"""Every question to the history, declared once: the HTTP API answers by it, and its OpenAPI document is read off it."""

from collections.abc import Mapping
from dataclasses import fields

from infraaudit.questions.export import Exchange
from infraaudit.questions.findings import COMPARE_COLUMNS, FINDING_COLUMNS
from infraaudit.questions.question import Column, Question, Schema, typed
from infraaudit_domain.deployments import Outcome
from infraaudit_domain.dora import Dora
from infraaudit_domain.findings import FindingStatus, Severity
from resources.history.queries.exposure import EXPOSURE_COLUMNS, LIVE_COLUMNS
from resources.history.queries.finding_pages import ORDERS
from resources.history.queries.lives import BLAME_COLUMNS
from resources.history.queries.sla import SLA_COLUMNS
from resources.history.queries.suppressions import SUPPRESSION_COLUMNS
from resources.history.queries.trends import GROUPS, STEPS, TREND_COLUMNS

MAX_TEXT = 200
OUTCOMES = [outcome.value for outcome in Outcome]
SEVERITIES = [severity.value for severity in Severity]
STATUSES = [status.value for status in FindingStatus]

_NAME: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{0,64}$"}
_ENVIRONMENT: Schema = _NAME | {"description": "by default the first one of the project"}
_TEXT: Schema = {"type": "string", "maxLength": MAX_TEXT, "pattern": "^[^\\x00-\\x1f\\x7f]*$"}
_DAY: Schema = {"type": "string", "format": "date"}
_COMMIT: Schema = {"type": "string", "pattern": "^([0-9a-f]{7,64})?$", "description": "by default the newest scanned"}
_FILTER: dict[str, Schema] = {
    "severity": {"type": "string", "enum": ["", *SEVERITIES]},
    "status": {"type": "string", "enum": ["", *STATUSES], "default": FindingStatus.OPEN.value},
    "framework": _NAME,
    "q": _TEXT | {"description": "part of the check, the file or the resource"},
    "order": {"type": "string", "enum": ["", *ORDERS], "default": "severity"},
}
_OUTCOME: Schema = {"type": "string", "enum": ["", *OUTCOMES]}
_COMMIT_COLUMN = Column("commit", "string")
_FINDING = typed(FINDING_COLUMNS, integer="line_start line_end", number="age_days")
_OF = "/projects/{project}"


QUESTIONS: tuple[Question, ...] = (
    Question("/projects", "Every project", typed(("name",))),
    Question(
        f"{_OF}/commits",
        "Commits of the deploy branch, newest first, with what the pipeline did to each",
        typed(
            (
                "sha", "subject", "author", "committed_at", "image", "size_bytes", "build_seconds", "reused_from",
                "passed", "failed", "errors", "skipped", "scan", "open", "introduced", "fixed", "reopened", "suppressed",
                "deployment", "environment", "deployment_reason", "stopped_by", "run_id",
            ),
            integer="size_bytes passed failed errors skipped open introduced fixed reopened suppressed",
            number="build_seconds",
        ),
        {"q": _TEXT | {"description": "part of the subject, the author or the SHA"}, "outcome": _OUTCOME},
    ),
    Question(
        f"{_OF}/changes",
        "Findings that one commit introduced, reopened, moved, suppressed and fixed",
        (_COMMIT_COLUMN, *typed(COMPARE_COLUMNS, integer="line_start")),
        {"commit": _COMMIT},
    ),
    Question(
        f"{_OF}/stages",
        "Stages that ran for one commit",
        typed(
            ("commit", "stage", "outcome", "started_at", "finished_at", "seconds", "run_id", "reason"),
            number="seconds",
        ),
        {"commit": _COMMIT},
    ),
    Question(
        f"{_OF}/tests",
        "Test cases of one commit, what did not pass first",
        typed(("commit", "name", "outcome", "seconds", "message"), number="seconds"),
        {"commit": _COMMIT},
    ),
    Question(
        f"{_OF}/findings",
        "Findings of one commit",
        (_COMMIT_COLUMN, *_FINDING),
        _FILTER | {"commit": _COMMIT},
        command="findings",
    ),
    Question(
        f"{_OF}/findings/{{fingerprint}}",
        "The life of one finding, oldest event first",
        typed(
            (
                "life", "event", "cause", "commit", "at", "author", "subject", "id", "severity", "check_id",
                "check_name", "file_path", "resource", "line_start", "suppression_reason",
            ),
            integer="line_start",
        ),
    ),
    Question(
        f"{_OF}/findings/{{fingerprint}}/live",
        "From when to when one finding was live",
        typed(("environment", "live_from", "live_to")),
    ),
    Question(
        f"{_OF}/live",
        "Findings that are live now",
        (*typed(("environment", "live", "live_since")), *_FINDING),
        _FILTER | {"environment": _NAME},
    ),
    Question(
        f"{_OF}/blame",
        "Every event in the lifecycles of the findings asked for (of all, where none is), oldest first",
        typed(BLAME_COLUMNS),
        {
            "finding": {"type": "string", "pattern": "^[0-9a-f]{0,32}$", "description": "beginning of an id"},
            "check": _TEXT | {"description": "exactly this check"},
            "path": _TEXT | {"description": "exactly this file, under any name it had"},
            "environment": _ENVIRONMENT,
        },
        command="blame",
    ),
    Question(
        f"{_OF}/compare",
        "What two commits' findings differ in, and whether code, config or scanner may be why",
        typed(COMPARE_COLUMNS, integer="line_start"),
        {
            "before": _COMMIT | {"description": "by default what is live"},
            "after": _COMMIT,
            "environment": _ENVIRONMENT,
        },
        command="compare",
    ),
    Question(
        f"{_OF}/trends",
        "Open, introduced, fixed, reopened and suppressed findings over time, newest first",
        typed(TREND_COLUMNS, integer="open introduced fixed reopened suppressed"),
        {
            "by": {"type": "string", "enum": ["", *GROUPS]},
            "every": {"type": "string", "enum": ["", *STEPS], "default": "commit"},
            "since": _DAY,
            "until": _DAY,
        },
        command="trends",
    ),
    Question(
        f"{_OF}/exposure",
        "How long each finding was live, the longest first, and what a rollback brought back",
        typed(EXPOSURE_COLUMNS, number="hours_exposed", boolean="live_now"),
        {"environment": _ENVIRONMENT},
        command="exposure",
    ),
    Question(
        f"{_OF}/exposure/commits",
        "Which commit was live from when to when, and whether it had a complete scan and green tests",
        typed(LIVE_COLUMNS, number="hours unscanned_hours untested_hours", boolean="rollback"),
        {"environment": _ENVIRONMENT},
        command="exposure",
    ),
    Question(
        f"{_OF}/sla",
        "How fast findings are fixed, how old the open ones are, and how many break the SLA, by severity",
        typed(
            SLA_COLUMNS,
            integer="open breached up_to_7_days up_to_30_days up_to_90_days over_90_days fixed fixed_late",
            number="sla_days oldest_days median_days mean_days_to_fix median_days_to_fix",
        ),
        {"since": _DAY},
        command="sla",
    ),
    Question(
        f"{_OF}/suppressions",
        "Who hides which finding, why, until when, and whether it is live",
        typed(SUPPRESSION_COLUMNS, boolean="live"),
        {"environment": _ENVIRONMENT},
        command="suppressions",
    ),
    Question(
        f"{_OF}/deployments",
        "Deployments that were tried or skipped, newest first",
        typed(
            (
                "environment", "sha", "subject", "author", "outcome", "started_at", "finished_at", "target", "image",
                "replaced_sha", "reason",
            )
        ),
        {"environment": _NAME, "outcome": _OUTCOME},
    ),
    Question(
        f"{_OF}/dora",
        "The four DORA measures of each environment",
        typed(
            ("environment", *(each.name for each in fields(Dora))),
            integer="attempts deployed",
            number="days per_day lead_seconds failure_ratio restore_seconds",
            boolean="incident_open",
        ),
        {
            "environment": _NAME,
            "days": {"type": "integer", "minimum": 1, "maximum": 3650, "default": 30},
        },
        command="dora",
    ),
)  # fmt: skip
EXPORT_TYPES: Mapping[str, str] = {
    Exchange.SARIF: "application/sarif+json",
    Exchange.JSON: "application/json",
    Exchange.CSV: "text/csv; charset=utf-8",
    Exchange.CYCLONEDX: "application/vnd.cyclonedx+json",
}
"""The media type of each form."""
EXPORT = Question(
    f"{_OF}/export",
    "Findings of one commit for other tools, as SARIF, JSON, CSV or CycloneDX",
    (),
    {"commit": _COMMIT, "format": {"type": "string", "enum": ["", *Exchange], "default": "sarif"}},
    command="export",
)
"""A document and no table: it has neither columns nor pages."""
