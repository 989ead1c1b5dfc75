"""Data of commits from Git, builds and tests."""

import sqlalchemy as sa

from resources.history.schema.column_types import UTCDateTime
from resources.history.schema.metadata import commit_key, metadata

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
    *commit_key(),
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
    *commit_key(),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("parent", sa.String(64), nullable=False),
)

images = sa.Table(
    "images",
    metadata,
    *commit_key(),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("image_id", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("build_seconds", sa.Float, nullable=False),
    sa.Column("inputs_digest", sa.String(64), nullable=False),
    sa.Column("digest", sa.Text),
    sa.Column("reused_from", sa.String(64)),
    sa.Column("name", sa.String(64), nullable=False, server_default=""),
    sa.Index("ix_images_project_inputs_digest", "project", "inputs_digest"),
)

further_images = sa.Table(
    "further_images",
    metadata,
    *commit_key(),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("image_id", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("build_seconds", sa.Float, nullable=False),
    sa.Column("inputs_digest", sa.String(64), nullable=False),
    sa.Column("digest", sa.Text),
    sa.Column("reused_from", sa.String(64)),
    sa.Index("ix_further_images_project_inputs_digest", "project", "name", "inputs_digest"),
)

test_runs = sa.Table(
    "test_runs",
    metadata,
    *commit_key(),
    sa.Column("passed", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("errors", sa.Integer, nullable=False),
    sa.Column("skipped", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("output_tail", sa.Text, nullable=False),
    sa.Column("inputs_digest", sa.String(64)),
    sa.Column("reused_from", sa.String(64)),
    sa.Index("ix_test_runs_project_inputs_digest", "project", "inputs_digest"),
)

test_cases = sa.Table(
    "test_cases",
    metadata,
    *commit_key(),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
)

stages = sa.Table(
    "stages",
    metadata,
    *commit_key(),
    sa.Column("stage", sa.String(64), primary_key=True),
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("started_at", UTCDateTime, nullable=False),
    sa.Column("finished_at", UTCDateTime, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Index("ix_stages_finished_at", "finished_at"),
)
