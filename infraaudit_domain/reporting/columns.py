"""The columns of each answer that the history gives, in their order, and the words that some of its questions know."""

FINDING_COLUMNS = (
    "id", "framework", "check_id", "check_name", "severity", "status", "file_path", "resource", "line_start",
    "line_end", "introduced_by", "introduced_after", "introduced_certainty", "introduced_at", "author", "opened_by",
    "opened_at", "age_days", "age_days_at_most", "last_read",
    "suppression_reason", "hidden_by", "guideline",
)  # fmt: skip
HELP_COLUMNS = (
    "id", "severity", "check_id", "check_name", "framework", "status", "commit", "file_path", "line_start", "line_end",
    "resource", "code", "remedy", "guideline", "owner", "accept_in_code", "accept_in_file", "accept_file", "life",
)  # fmt: skip
COMPARE_COLUMNS = ("change", "cause", "severity", "check_id", "check_name", "framework", "file_path", "resource",
                   "line_start", "id")  # fmt: skip
CHANGE_COLUMNS = (*COMPARE_COLUMNS, "by", "after", "certainty")
BLAME_COLUMNS = (
    "life", "id", "severity", "check_id", "check_name", "file_path", "resource", "event", "cause", "commit", "after",
    "certainty", "at", "author", "subject", "live_from", "live_to",
)  # fmt: skip
TREND_COLUMNS = ("at", "commit", "group", "open", "introduced", "fixed", "reopened", "suppressed")
EXPOSURE_COLUMNS = (
    "id", "severity", "check_id", "file_path", "resource", "introduced_by", "introduced_certainty", "introduced_at",
    "live_from", "fixed_by", "fixed_certainty", "fixed_at", "live_to", "hours_exposed", "live_now", "brought_back_by",
)  # fmt: skip
LIVE_COLUMNS = ("sha", "live_from", "live_to", "hours", "scan", "tests", "unscanned_hours", "untested_hours",
                "rollback")  # fmt: skip
SLA_COLUMNS = (
    "severity", "sla_days", "open", "breached", "perhaps_breached", "age_at_least", "oldest_days", "median_days",
    "up_to_7_days", "up_to_30_days", "up_to_90_days", "over_90_days", "fixed", "fix_time_unknown", "mean_days_to_fix",
    "median_days_to_fix", "fixed_late",
)  # fmt: skip
SUPPRESSION_COLUMNS = (
    "source", "kind", "state", "severity", "check_id", "file_path", "resource", "id", "reason", "owner", "by", "commit",
    "after", "certainty", "since", "until", "live",
)  # fmt: skip
COVERAGE_COLUMNS = ("commit", "framework", "status", "expected", "read", "unread", "accepted", "since", "reason")
GAP_COLUMNS = ("commit", "framework", "file_path", "reason", "since", "accepted", "files")
SCANNED_COLUMNS = ("scanned_from", "commits", "commits_before", "commits_unscanned", "commits_failed",
                   "commits_earlier_rules")  # fmt: skip

GROUPS = ("severity", "check", "framework", "file", "directory", "author")
"""What trends can be counted by."""
STEPS = ("commit", "day", "week")
"""The steps of time of trends."""
ORDERS = ("severity", "age", "file")
"""What findings can be sorted by."""

HIDDEN_IN_CODE = "hidden in code"
"""The state of a finding that a commit hid itself, by a comment or in its own Checkov file."""
