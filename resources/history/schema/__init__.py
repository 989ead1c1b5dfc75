"""The tables of the history: everything that is queried is a row. Times are UTC.

Migrations create these tables; a test compares the two.
"""

from resources.history.schema.commits import (
    commits,
    further_images,
    images,
    parents,
    projects,
    stages,
    test_cases,
    test_runs,
)
from resources.history.schema.deployments import (
    approvals,
    deployed_commits,
    deployments,
    live_judgements,
    log_counts,
    looks,
    measurements,
    rejections,
)
from resources.history.schema.messages import (
    change_requests,
    commit_statuses,
    deliveries,
    forge_faults,
    git_events,
    notices,
    pruned_messages,
    request_comments,
)
from resources.history.schema.metadata import metadata
from resources.history.schema.people import audit_log, audit_retention, triage_events
from resources.history.schema.scans import (
    cross_scan_parts,
    findings,
    framework_scans,
    line_commits,
    merged_commits,
    scan_parts,
    scans,
    severities,
    spans,
    trusted_configurations,
)

__all__ = [
    "approvals",
    "audit_log",
    "audit_retention",
    "change_requests",
    "commit_statuses",
    "commits",
    "cross_scan_parts",
    "deliveries",
    "deployed_commits",
    "deployments",
    "findings",
    "forge_faults",
    "framework_scans",
    "further_images",
    "git_events",
    "images",
    "line_commits",
    "live_judgements",
    "log_counts",
    "looks",
    "measurements",
    "merged_commits",
    "metadata",
    "notices",
    "parents",
    "projects",
    "pruned_messages",
    "rejections",
    "request_comments",
    "scan_parts",
    "scans",
    "severities",
    "spans",
    "stages",
    "test_cases",
    "test_runs",
    "triage_events",
    "trusted_configurations",
]
