"""What was deployed where, and what it logged."""

import sqlalchemy as sa

from resources.history.schema.column_types import UTCDateTime
from resources.history.schema.metadata import metadata

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

rejections = sa.Table(
    "rejections",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("sha", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("rejected_by", sa.String(255), nullable=False),
    sa.Column("rejected_at", UTCDateTime, nullable=False),
    sa.Column("taken_back_by", sa.String(255)),
    sa.Column("taken_back_at", UTCDateTime),
    sa.Column("taken_back_reason", sa.Text),
    sa.Index("ix_rejections_project_sha", "project", "sha"),
)
"""Commits that are never deployed again, until the rejection is taken back; each with who, when and why."""

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("environment", sa.String(64), nullable=False),
    sa.Column("sha", sa.String(64), nullable=False),
    sa.Column("leave", sa.String(16), nullable=False),
    sa.Column("approved_by", sa.String(255), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("approved_at", UTCDateTime, nullable=False),
    sa.Column("taken_back_by", sa.String(255)),
    sa.Column("taken_back_at", UTCDateTime),
    sa.Column("taken_back_reason", sa.Text),
    sa.Index("ix_approvals_project_environment_sha", "project", "environment", "sha"),
)
"""Who let a commit into an environment, or into a frozen one, and why."""

measurements = sa.Table(
    "measurements",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("environment", sa.String(64), primary_key=True),
    sa.Column("sha", sa.String(64), primary_key=True),
    sa.Column("started_at", UTCDateTime, primary_key=True),
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("limits", sa.Text, nullable=False),
    sa.Column("value", sa.Float),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
)
"""What each attempt was measured by, after it had become healthy: the worst value of each expression."""

live_judgements = sa.Table(
    "live_judgements",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("environment", sa.String(64), primary_key=True),
    sa.Column("sha", sa.String(64), nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("rules", sa.String(64), nullable=False),
    sa.Column("judged_at", UTCDateTime, nullable=False),
)
"""The newest judgement of what is live under the rules of its day; ``rules`` is a digest of their files."""

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

looks = sa.Table(
    "looks",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("environment", sa.String(64), primary_key=True),
    sa.Column("due_at", UTCDateTime, nullable=False),
    sa.Column("looked_at", UTCDateTime),
    sa.Column("quiet", sa.Integer, nullable=False),
    sa.Column("sha", sa.String(64), nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("drift", sa.JSON, nullable=False),
    sa.Column("healed", sa.String(16), nullable=False),
    sa.Column("shown_at", UTCDateTime),
    sa.Column("shown_mark", sa.String(40), nullable=False),
    sa.Column("lines", sa.BigInteger, nullable=False),
    sa.Column("lines_shown_at", UTCDateTime),
)
"""The last look at what is live in each environment: what was found, and what of it Dagster was shown."""
