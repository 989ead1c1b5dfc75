"""the lives of findings along a branch"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "line_commits",
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("branch", sa.String(255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sha", sa.String(64), nullable=False),
        sa.Column("followed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("project", "branch", "position", name=op.f("pk_line_commits")),
    )
    op.create_index("ix_line_commits_project_sha", "line_commits", ["project", "sha"])
    op.create_index(
        "ix_line_commits_project_branch_followed", "line_commits", ["project", "branch", "followed", "position"]
    )
    op.create_table(
        "spans",
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("branch", sa.String(255), nullable=False),
        sa.Column("start_position", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("life", sa.String(32), nullable=False),
        sa.Column("introduced_position", sa.Integer(), nullable=False),
        sa.Column("opened_position", sa.Integer(), nullable=False),
        sa.Column("started_as", sa.String(16), nullable=False),
        sa.Column("start_cause", sa.String(16), nullable=False),
        sa.Column("end_position", sa.Integer()),
        sa.Column("ended_as", sa.String(16)),
        sa.Column("end_cause", sa.String(16)),
        sa.Column("framework", sa.String(64), nullable=False),
        sa.Column("check_id", sa.Text(), nullable=False),
        sa.Column("check_name", sa.Text(), nullable=False),
        sa.Column("file_path", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("line_start", sa.Integer(), nullable=False),
        sa.Column("line_end", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("suppression_reason", sa.Text(), nullable=False),
        sa.Column("guideline", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("project", "branch", "start_position", "fingerprint", name=op.f("pk_spans")),
    )
    op.create_index(
        "ix_spans_project_branch_end_position", "spans", ["project", "branch", "end_position", "start_position"]
    )
    op.create_index("ix_spans_project_branch_fingerprint", "spans", ["project", "branch", "fingerprint"])
    op.create_index("ix_spans_project_branch_life", "spans", ["project", "branch", "life"])
