"""The names of InfraAudit's metrics: what the exporter serves, and dashboards and alerts may ask for.

Base units, ``_total`` for counters. Deliberately absent: reading values (the exporter does, at scrape time).
"""

from dataclasses import dataclass
from typing import Literal

STAGE_BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Upper bounds of stage durations, in seconds."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of samples."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


_ENVIRONMENT = ("project", "environment")

FINDINGS = Metric(
    "infraaudit_findings",
    "gauge",
    "Findings of the newest scanned commit.",
    ("project", "framework", "severity", "status"),
)
FINDINGS_LIVE = Metric(
    "infraaudit_findings_live", "gauge", "Open findings of the commit that is deployed.", (*_ENVIRONMENT, "severity")
)
FINDING_CHANGES = Metric(
    "infraaudit_finding_changes_total",
    "counter",
    "Findings introduced, reopened and fixed along the deploy branch.",
    ("project", "change"),
)
COMMITS = Metric("infraaudit_commits_total", "counter", "Commits recorded.", ("project",))
SCANS = Metric("infraaudit_scans_total", "counter", "Commits scanned, by how the scan ended.", ("project", "status"))
SCAN_FILES = Metric(
    "infraaudit_scan_files",
    "gauge",
    "Files that the newest scan should have read, read, and did not read.",
    ("project", "framework", "state"),
)
SCAN_TIME = Metric("infraaudit_scan_time_seconds", "gauge", "When the newest scan began, in Unix time.", ("project",))
BUILD_SECONDS = Metric("infraaudit_image_build_seconds", "gauge", "How long the newest image was built.", ("project",))
IMAGE_SIZE = Metric("infraaudit_image_size_bytes", "gauge", "Size of the newest image.", ("project",))
TESTS = Metric("infraaudit_tests", "gauge", "Tests of the newest tested commit.", ("project", "outcome"))
STAGE_DURATION = Metric(
    "infraaudit_stage_duration_seconds", "histogram", "How long stages took.", ("project", "stage", "outcome")
)
RUNS = Metric("infraaudit_runs_total", "counter", "Pipeline runs, by their worst stage.", ("project", "outcome"))
DEPLOYMENTS = Metric(
    "infraaudit_deployments_total", "counter", "Deployments, by how they ended.", (*_ENVIRONMENT, "outcome")
)
DEPLOYMENT_INFO = Metric(
    "infraaudit_deployment_info", "gauge", "What is deployed; always 1.", (*_ENVIRONMENT, "sha", "image", "digest")
)
DEPLOYMENT_TIME = Metric(
    "infraaudit_deployment_time_seconds", "gauge", "When the live commit became healthy, in Unix time.", _ENVIRONMENT
)
LIVE_PASSES = Metric(
    "infraaudit_live_passes", "gauge", "1 where what is live would be let in under today's rules.", _ENVIRONMENT
)
LOOK_TIME = Metric(
    "infraaudit_last_look_timestamp_seconds",
    "gauge",
    "When what is live was last looked at, in Unix time.",
    _ENVIRONMENT,
)
LEAD_TIME = Metric(
    "infraaudit_lead_time_seconds", "gauge", "Median of commit to healthy deployment over 30 days.", _ENVIRONMENT
)
CHANGE_FAILURE = Metric(
    "infraaudit_change_failure_ratio", "gauge", "Deployments of 30 days that failed, of those tried.", _ENVIRONMENT
)
RESTORE_TIME = Metric(
    "infraaudit_restore_time_seconds",
    "gauge",
    "Median of failed to next healthy deployment over 30 days.",
    _ENVIRONMENT,
)
DEPLOYS_PER_DAY = Metric(
    "infraaudit_deployments_per_day", "gauge", "Healthy deployments a day over 30 days.", _ENVIRONMENT
)
INCIDENT_OPEN = Metric(
    "infraaudit_incident_open", "gauge", "1 while the last deployment tried is not healthy.", _ENVIRONMENT
)
LOG_LINES = Metric(
    "infraaudit_log_lines_total",
    "counter",
    "Lines that deployed containers printed, by level.",
    (*_ENVIRONMENT, "level"),
)
LOG_ERRORS = Metric(
    "infraaudit_log_error_ratio",
    "gauge",
    "Error lines of the live commit, of all lines it printed there.",
    _ENVIRONMENT,
)
PUSHES = Metric(
    "infraaudit_webhook_deliveries_total", "counter", "Webhook deliveries, by how they ended.", ("project", "outcome")
)
PUSHES_WAITING = Metric(
    "infraaudit_webhook_deliveries_waiting", "gauge", "Webhook deliveries stored and not yet processed.", ("project",)
)
REJECTED = Metric(
    "infraaudit_webhook_rejected_total", "counter", "Webhook requests refused since the service started.", ("reason",)
)
NOTICES_SENT = Metric("infraaudit_notices_sent_total", "counter", "Notices delivered.", ("project",))
NOTICES_WAITING = Metric("infraaudit_notices_waiting", "gauge", "Notices in the outbox.", ("project",))
NOTICE_OLDEST = Metric(
    "infraaudit_notice_oldest_time_seconds", "gauge", "When the oldest waiting notice was written.", ("project",)
)
NOTICES_UNDELIVERED = Metric(
    "infraaudit_notices_undelivered", "gauge", "Notices of the last day that nobody was to receive.", ("project",)
)
NOTICE_ADDRESSES = Metric(
    "infraaudit_notice_addresses", "gauge", "Addresses that would be notified of a failing test.", ("project",)
)
READ_SECONDS = Metric("infraaudit_history_read_seconds", "gauge", "How long reading the history took for this scrape.")
READ_OK = Metric("infraaudit_history_up", "gauge", "1 where the history could be read for this scrape.")

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
