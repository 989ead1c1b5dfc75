"""log counts by day

The table begins empty: the next collection counts every day whose lines are kept.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.drop_table("log_counts")
    _create(sa.Column("day", sa.String(length=10), nullable=False))


def downgrade() -> None:
    op.drop_table("log_counts")
    _create()


def _create(*day: sa.Column) -> None:
    op.create_table(
        "log_counts",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("environment", sa.String(length=64), nullable=False),
        *day,
        sa.Column("sha", sa.String(length=64), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "project", "environment", *(column.name for column in day), "sha", "level", name=op.f("pk_log_counts")
        ),
    )
