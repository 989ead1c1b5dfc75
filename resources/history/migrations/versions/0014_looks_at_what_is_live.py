"""when each environment was last looked at, and what was found; how often a commit's scans changed; how much was pruned"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("line_commits", sa.Column("changes", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "looks",
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("environment", sa.String(64), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quiet", sa.Integer(), nullable=False),
        sa.Column("sha", sa.String(64), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("drift", sa.JSON(), nullable=False),
        sa.Column("healed", sa.String(16), nullable=False),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shown_mark", sa.String(40), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("lines_shown_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("project", "environment", name="pk_looks"),
    )
    op.create_table(
        "pruned_messages",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "project", "state", name="pk_pruned_messages"),
    )


def downgrade() -> None:
    op.drop_table("pruned_messages")
    op.drop_table("looks")
    with op.batch_alter_table("line_commits") as table:
        table.drop_column("changes")
