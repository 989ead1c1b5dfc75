"""what a test run depended on, and the commit whose result was used again"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    with op.batch_alter_table("test_runs") as table:
        table.add_column(sa.Column("inputs_digest", sa.String(64), nullable=True))
        table.add_column(sa.Column("reused_from", sa.String(64), nullable=True))
    op.create_index("ix_test_runs_project_inputs_digest", "test_runs", ["project", "inputs_digest"])


def downgrade() -> None:
    op.drop_index("ix_test_runs_project_inputs_digest", table_name="test_runs")
    with op.batch_alter_table("test_runs") as table:
        table.drop_column("reused_from")
        table.drop_column("inputs_digest")
