"""Questions to the findings: which stand where, since when and through whom, and how they change."""

from infraaudit.questions.one_finding import questions as of_one_finding
from infraaudit.questions.parameters import (
    ANY,
    ANY_ENVIRONMENT,
    COMMIT,
    ENVIRONMENT,
    FILTER,
    SINCE,
    TREND,
    name,
    paths,
    revision,
    text,
)
from infraaudit.questions.question import Column, Needs, Question, typed
from infraaudit_domain.reporting.columns import (
    BLAME_COLUMNS,
    CHANGE_COLUMNS,
    COMPARE_COLUMNS,
    COVERAGE_COLUMNS,
    EXPOSURE_COLUMNS,
    FINDING_COLUMNS,
    GAP_COLUMNS,
    LIVE_COLUMNS,
    SCANNED_COLUMNS,
    SLA_COLUMNS,
    SUPPRESSION_COLUMNS,
    TREND_COLUMNS,
)

_OF = "/projects/{project}"
_COMMIT_COLUMN = Column("commit", "string", "commit")
_FINDING = typed(FINDING_COLUMNS, integer="line_start line_end", number="age_days age_days_at_most")
_FINDING_SHOWN = (
    "severity id check_id file_path line_start resource age_days status introduced_by introduced_certainty author last_read"
    " check_name"
)
_CHANGE_SHOWN = "change severity check_id file_path line_start resource cause id"
_OF_A_COMMIT = {
    "commit": COMMIT,
    "at": COMMIT | {"description": "The same as commit."},
    "live": {"type": "boolean", "default": False, "description": "Of the commit that is deployed now."},
    "environment": ENVIRONMENT | {"description": "Where it is deployed; by default the first one."},
    "framework": name("Only this framework of Checkov, for example terraform."),
}

QUESTIONS: tuple[Question, ...] = (
    Question(
        "changes",
        f"{_OF}/changes",
        "Findings that one commit introduced, reopened, moved, suppressed and fixed.",
        (_COMMIT_COLUMN, *typed(CHANGE_COLUMNS, integer="line_start")),
        {"commit": COMMIT},
        needs=(Needs.SCAN,),
        command="changes",
        shown=f"{_CHANGE_SHOWN} by after certainty",
        details="A change whose commit is not known shows at the first scan that has it: after the commit named, by this "
        "one. By names the commit of a merged branch.",
    ),
    Question(
        "findings",
        f"{_OF}/findings",
        "Findings of one commit: which commit introduced each, who wrote it, and how old it is.",
        (_COMMIT_COLUMN, *_FINDING),
        {
            "commit": COMMIT,
            "at": COMMIT | {"description": "The same as commit."},
            "live": {"type": "boolean", "default": False, "description": "Of the commit that is deployed now."},
            "environment": ENVIRONMENT | {"description": "Where it is deployed; by default the first one."},
            "new_since": revision("Only findings that did not stand at this commit."),
        } | FILTER,
        needs=(Needs.SCAN,),
        command="findings",
        shown=_FINDING_SHOWN,
        command_defaults={"status": ANY},
    ),
    *of_one_finding.QUESTIONS,
    Question(
        "live",
        f"{_OF}/live",
        "Findings of what is deployed now, in each environment, and since when they are live.",
        (*typed(("environment", "live", "live_since"), live="commit"), *_FINDING),
        {"environment": ANY_ENVIRONMENT} | FILTER,
        needs=(Needs.LIVE, Needs.SCAN),
        command="live",
        shown="environment severity id check_id file_path line_start resource live_since introduced_by introduced_certainty author check_name",
    ),
    Question(
        "blame",
        f"{_OF}/blame",
        "Lifecycles of findings: introduced, moved, suppressed, fixed and reopened by whom, and live from when to when.",
        typed(BLAME_COLUMNS),
        {
            "finding": {
                "type": "string", "pattern": "^[0-9a-f]{0,32}$",
                "description": "The beginning of a finding's id; by default every finding.",
            },
            "check": text("Findings of exactly this check."),
            "path": paths("Findings in this file or folder, or in what a pattern matches, under any name it had."),
            "environment": ENVIRONMENT | {"description": "Where it was live; by default the first one."},
        },
        needs=(Needs.SCAN,),
        command="blame",
        positional=("finding",),
        shown="id event commit certainty after at check_id file_path author cause live_from live_to resource subject",
    ),
    Question(
        "scanned",
        f"{_OF}/scanned",
        "How much of the deploy branch is scanned: from which commit on, and how many are not, or could not be.",
        typed(SCANNED_COLUMNS, integer="commits commits_before commits_unscanned commits_failed commits_earlier_rules"),
        needs=(Needs.COMMIT,),
        command="scanned",
    ),
    Question(
        "compare",
        f"{_OF}/compare",
        "What two commits' findings differ in, and whether code, config or scanner may be why.",
        typed(COMPARE_COLUMNS, integer="line_start"),
        {
            "before": revision("The earlier commit; by default what is live."),
            "after": revision("The later commit; by default the newest."),
            "environment": ENVIRONMENT | {"description": "Where it is live; by default the first one."},
        },
        needs=(Needs.SCAN,),
        command="compare",
        positional=("before", "after"),
        shown=_CHANGE_SHOWN,
    ),
    Question(
        "trends",
        f"{_OF}/trends",
        "Findings over time: open, introduced, fixed, reopened, suppressed.",
        typed(TREND_COLUMNS, integer="open introduced fixed reopened suppressed"),
        TREND,
        needs=(Needs.SCAN,),
        command="trends",
        command_defaults={"order": "oldest"},
    ),
    Question(
        "exposure",
        f"{_OF}/exposure",
        "How long findings were in production: introduced, live, fixed, fix live; and what a rollback brought back.",
        typed(EXPOSURE_COLUMNS, number="hours_exposed", boolean="live_now", live_to="fix live"),
        {"environment": ENVIRONMENT},
        needs=(Needs.HEALTHY_DEPLOYMENT, Needs.SCAN,),
        command="exposure",
        of="findings",
        shown="severity id check_id hours_exposed live_now file_path introduced_at live_from fixed_at live_to"
        " brought_back_by resource",
        details="With --of commits: what was live from when to when, and the hours on commits without a complete scan or "
        "green tests.",
    ),
    Question(
        "exposure_commits",
        f"{_OF}/exposure/commits",
        "Which commit was live from when to when, and whether it had a complete scan and green tests.",
        typed(LIVE_COLUMNS, number="hours unscanned_hours untested_hours", boolean="rollback"),
        {"environment": ENVIRONMENT},
        needs=(Needs.HEALTHY_DEPLOYMENT,),
        command="exposure",
        of="commits",
        shown="sha live_from live_to hours scan tests rollback",
    ),
    Question(
        "sla",
        f"{_OF}/sla",
        "How fast findings are fixed, how old the open ones are, and which break the SLA (max_age_days of gate.yaml).",
        typed(
            SLA_COLUMNS,
            integer="open breached perhaps_breached age_at_least up_to_7_days up_to_30_days up_to_90_days over_90_days fixed"
            " fix_time_unknown fixed_late",
            number="sla_days oldest_days median_days mean_days_to_fix median_days_to_fix",
        ),
        {"since": SINCE | {"description": "Only fixes from this day on, in UTC."}},
        needs=(Needs.SCAN,),
        command="sla",
        shown="severity open breached perhaps_breached sla_days oldest_days age_at_least fixed mean_days_to_fix"
        " median_days up_to_7_days up_to_30_days up_to_90_days over_90_days median_days_to_fix fixed_late"
        " fix_time_unknown",
        details="An age counts from the first commit that is known to have the finding: age_at_least says how many may be "
        "older. Fixes whose commit, or whose finding's commit, is not known are in fixed, and in no time to fix.",
    ),
    Question(
        "suppressions",
        f"{_OF}/suppressions",
        "Who hid which finding, when, why, until when, and whether it is live: comments in the code, the project's file, and triage.",
        typed(SUPPRESSION_COLUMNS, boolean="live"),
        {"environment": ENVIRONMENT | {"description": "Where it is live; by default the first one."}},
        needs=(Needs.SCAN,),
        command="suppressions",
        shown="source state id check_id owner until reason live file_path since severity resource commit after certainty",
    ),
    Question(
        "coverage",
        f"{_OF}/coverage",
        "What the scan of a commit should have read and what it read, by framework.",
        typed(COVERAGE_COLUMNS, integer="expected read unread accepted"),
        _OF_A_COMMIT,
        needs=(Needs.SCAN,),
        command="coverage",
        of="frameworks",
        shown="framework status expected read unread accepted since reason",
        details="With --of gaps: each file (and each Helm chart, with its templates) that was not read, why, and since when.",
    ),
    Question(
        "coverage_gaps",
        f"{_OF}/coverage/gaps",
        "Files that the scan of a commit should have read and did not, with the reason, and since when.",
        typed(GAP_COLUMNS, integer="files", boolean="accepted"),
        _OF_A_COMMIT,
        needs=(Needs.SCAN,),
        command="coverage",
        of="gaps",
        shown="framework file_path files reason since accepted",
    ),
)  # fmt: skip
