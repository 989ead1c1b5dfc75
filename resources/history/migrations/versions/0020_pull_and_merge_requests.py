"""pull and merge requests, and what was found of their heads"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
_SHAS = ("allowed_head", "started_head", "judged_head", "base")
_COUNTS = ("new", "fixed", "not_live")


def upgrade() -> None:
    op.create_table(
        "change_requests",
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("author", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
        sa.Column("source_repository", sa.String(255), nullable=False),
        sa.Column("source_branch", sa.String(255), nullable=False),
        sa.Column("target_branch", sa.String(255), nullable=False),
        sa.Column("is_fork", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("allowed_by", sa.String(255), nullable=False),
        sa.Column("judged_target", sa.String(255), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        *(sa.Column(name, sa.String(64), nullable=False) for name in _SHAS),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in _COUNTS),
        sa.PrimaryKeyConstraint("project", "number", name="pk_change_requests"),
    )


def downgrade() -> None:
    op.drop_table("change_requests")
