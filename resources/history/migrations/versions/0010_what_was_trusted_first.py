"""the Checkov configuration that was trusted at first, severities, and what rules brought

The severities fill themselves when a history is opened with the file of severities.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_BY_RULES = sa.text("start_cause <> 'code'")


def upgrade() -> None:
    op.create_table(
        "trusted_configurations",
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("sha", sa.String(64), nullable=False),
        sa.Column("configuration", sa.JSON(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project", name="pk_trusted_configurations"),
    )
    op.create_table(
        "severities",
        sa.Column("check_id", sa.String(255), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("check_id", name="pk_severities"),
    )
    op.create_index(
        "ix_spans_by_rules",
        "spans",
        ["project", "branch", "life"],
        sqlite_where=_BY_RULES,
        postgresql_where=_BY_RULES,
    )


def downgrade() -> None:
    op.drop_index("ix_spans_by_rules", table_name="spans")
    op.drop_table("severities")
    op.drop_table("trusted_configurations")
