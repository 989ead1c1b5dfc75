"""what happened to branches: force-pushes, deletions, commits without a run"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "git_events",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("branch", sa.String(length=255), nullable=False),
        sa.Column("before", sa.String(length=1000), nullable=False),
        sa.Column("after", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project", "kind", "branch", "before", "after", name=op.f("pk_git_events")),
    )
    op.create_index("ix_git_events_project_seen_at", "git_events", ["project", "seen_at"])


def downgrade() -> None:
    op.drop_table("git_events")
