"""The tables of the history: everything a query may ask about is a row.

Findings are stored once for each scan key; a commit's scan points at the stored framework scans, so the history
grows with what changed and not with commits times findings. Times are UTC. Migrations make these tables;
a test holds the two together.
"""

import sqlalchemy as sa

from resources.history.column_types import UTCDateTime

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _commit_key() -> tuple[sa.Column, sa.Column]:
    return (
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("sha", sa.String(64), primary_key=True),
    )


projects = sa.Table(
    "projects",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("deploy_branch", sa.Text, nullable=False),
)

commits = sa.Table(
    "commits",
    metadata,
    *_commit_key(),
    sa.Column("tree", sa.String(64), nullable=False),
    sa.Column("first_parent", sa.String(64)),
    sa.Column("author_name", sa.Text, nullable=False),
    sa.Column("author_email", sa.Text, nullable=False),
    sa.Column("authored_at", UTCDateTime, nullable=False),
    sa.Column("committed_at", UTCDateTime, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("recorded_at", UTCDateTime, nullable=False),
    sa.Index("ix_commits_project_committed_at", "project", "committed_at"),
    sa.Index("ix_commits_project_first_parent", "project", "first_parent"),
)

parents = sa.Table(
    "parents",
    metadata,
    *_commit_key(),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("parent", sa.String(64), nullable=False),
)

images = sa.Table(
    "images",
    metadata,
    *_commit_key(),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("image_id", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("build_seconds", sa.Float, nullable=False),
    sa.Column("inputs_digest", sa.String(64), nullable=False),
    sa.Column("digest", sa.Text),
    sa.Column("reused_from", sa.String(64)),
    sa.Index("ix_images_project_inputs_digest", "project", "inputs_digest"),
)

test_runs = sa.Table(
    "test_runs",
    metadata,
    *_commit_key(),
    sa.Column("passed", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("errors", sa.Integer, nullable=False),
    sa.Column("skipped", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("output_tail", sa.Text, nullable=False),
)

test_cases = sa.Table(
    "test_cases",
    metadata,
    *_commit_key(),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
)

framework_scans = sa.Table(
    "framework_scans",
    metadata,
    sa.Column("scan_key", sa.String(64), primary_key=True),
    sa.Column("framework", sa.String(64), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("unreadable", sa.JSON, nullable=False),
)

findings = sa.Table(
    "findings",
    metadata,
    sa.Column("scan_key", sa.ForeignKey("framework_scans.scan_key", ondelete="CASCADE"), primary_key=True),
    sa.Column("fingerprint", sa.String(32), primary_key=True),
    sa.Column("framework", sa.String(64), nullable=False),
    sa.Column("check_id", sa.Text, nullable=False),
    sa.Column("check_name", sa.Text, nullable=False),
    sa.Column("file_path", sa.Text, nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("line_start", sa.Integer, nullable=False),
    sa.Column("line_end", sa.Integer, nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("suppression_reason", sa.Text, nullable=False),
    sa.Column("guideline", sa.Text, nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
)

scans = sa.Table(
    "scans",
    metadata,
    *_commit_key(),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("scanner_version", sa.String(64), nullable=False),
    sa.Column("config_digest", sa.String(64), nullable=False),
    sa.Column("started_at", UTCDateTime, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("warnings", sa.JSON, nullable=False),
)

scan_parts = sa.Table(
    "scan_parts",
    metadata,
    *_commit_key(),
    sa.Column("framework", sa.String(64), primary_key=True),
    sa.Column("scan_key", sa.ForeignKey("framework_scans.scan_key"), nullable=False, index=True),
    sa.Column("reused", sa.Boolean, nullable=False),
)

cross_scan_parts = sa.Table(
    "cross_scan_parts",
    metadata,
    *_commit_key(),
    sa.Column("tree_of", sa.String(64), primary_key=True),
    sa.Column("framework", sa.String(64), primary_key=True),
    sa.Column("scan_key", sa.ForeignKey("framework_scans.scan_key"), nullable=False, index=True),
)
"""Scans of the files of ``tree_of`` under the scanner and configuration of ``sha``; see domain/causes.py."""

line_commits = sa.Table(
    "line_commits",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("branch", sa.String(255), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("sha", sa.String(64), nullable=False),
    sa.Column("followed", sa.Boolean, nullable=False),
    sa.Index("ix_line_commits_project_sha", "project", "sha"),
    sa.Index("ix_line_commits_project_branch_followed", "project", "branch", "followed", "position"),
)
"""The first-parent history of a branch; ``followed`` where the spans hold what the commit's scan says."""

spans = sa.Table(
    "spans",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("branch", sa.String(255), primary_key=True),
    sa.Column("start_position", sa.Integer, primary_key=True),
    sa.Column("fingerprint", sa.String(32), primary_key=True),
    sa.Column("life", sa.String(32), nullable=False),
    sa.Column("introduced_position", sa.Integer, nullable=False),
    sa.Column("opened_position", sa.Integer, nullable=False),
    sa.Column("started_as", sa.String(16), nullable=False),
    sa.Column("start_cause", sa.String(16), nullable=False),
    sa.Column("end_position", sa.Integer),
    sa.Column("ended_as", sa.String(16)),
    sa.Column("end_cause", sa.String(16)),
    *(column._copy() for column in findings.columns if column.name not in ("scan_key", "fingerprint")),
    sa.Index("ix_spans_project_branch_end_position", "project", "branch", "end_position", "start_position"),
    sa.Index("ix_spans_project_branch_fingerprint", "project", "branch", "fingerprint"),
    sa.Index("ix_spans_project_branch_life", "project", "branch", "life"),
)
"""The lives of findings along a branch; see domain/lifecycle.py. Derived: it can be made again from the scans."""

deployments = sa.Table(
    "deployments",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("environment", sa.String(64), nullable=False),
    sa.Column("sha", sa.String(64), nullable=False),
    sa.Column("started_at", UTCDateTime, nullable=False),
    sa.Column("finished_at", UTCDateTime, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("image", sa.Text, nullable=False),
    sa.Column("manifests", sa.Text, nullable=False),
    sa.Column("replaced_sha", sa.String(64)),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("url", sa.Text),
    sa.UniqueConstraint("project", "environment", "sha", "started_at"),
    sa.Index("ix_deployments_project_environment_id", "project", "environment", "id"),
)

log_counts = sa.Table(
    "log_counts",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("environment", sa.String(64), primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("sha", sa.String(64), primary_key=True),
    sa.Column("level", sa.String(16), primary_key=True),
    sa.Column("lines", sa.BigInteger, nullable=False),
)
"""How many lines a deployed commit printed on a day, by level; the lines themselves are in the log store."""

stages = sa.Table(
    "stages",
    metadata,
    *_commit_key(),
    sa.Column("stage", sa.String(64), primary_key=True),
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("started_at", UTCDateTime, nullable=False),
    sa.Column("finished_at", UTCDateTime, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Index("ix_stages_finished_at", "finished_at"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("forge", sa.String(16), nullable=False),
    sa.Column("branch", sa.Text, nullable=False),
    sa.Column("before", sa.String(64), nullable=False),
    sa.Column("after", sa.String(64), nullable=False),
    sa.Column("received_at", UTCDateTime, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("done_at", UTCDateTime),
)

git_events = sa.Table(
    "git_events",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("branch", sa.String(255), primary_key=True),
    sa.Column("before", sa.String(1000), primary_key=True),
    sa.Column("after", sa.String(64), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("seen_at", UTCDateTime, nullable=False),
    sa.Index("ix_git_events_project_seen_at", "project", "seen_at"),
)

notices = sa.Table(
    "notices",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("urgency", sa.String(16), nullable=False),
    sa.Column("created_at", UTCDateTime, nullable=False, index=True),
    sa.Column("due_at", UTCDateTime, nullable=False),
    sa.Column("sent_at", UTCDateTime, index=True),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("last_error", sa.Text, nullable=False, default=""),
    sa.Column("accepted_by", sa.JSON, nullable=False),
)
"""The outbox: ``due_at`` is when a notice may be taken (again), ``accepted_by`` which addresses have it already."""

deployed_commits = sa.Table(
    "deployed_commits",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("environment", sa.String(64), primary_key=True),
    sa.Column("sha", sa.String(64), primary_key=True),
    sa.Column("committed_at", UTCDateTime, nullable=False),
    sa.Column("deployed_at", UTCDateTime, nullable=False),
    sa.Column("deployed_by", sa.String(64), nullable=False),
    sa.Index("ix_deployed_commits_project_environment_deployed_at", "project", "environment", "deployed_at"),
)
"""When each commit first became healthy in an environment, and the deployed commit that brought it."""
