"""what forges are to show of commits, and why one takes nothing"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "commit_statuses",
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("sha", sa.String(64), nullable=False),
        sa.Column("context", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_state", sa.String(16), nullable=False),
        sa.Column("sent_words", sa.Text(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project", "sha", "context", name="pk_commit_statuses"),
    )
    op.create_index("ix_commit_statuses_due_at", "commit_statuses", ["due_at"])
    op.create_table(
        "forge_faults",
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project", name="pk_forge_faults"),
    )


def downgrade() -> None:
    op.drop_table("forge_faults")
    op.drop_table("commit_statuses")
