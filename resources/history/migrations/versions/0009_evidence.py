"""evidence of scans, ranges of events, and what of a commit suppresses a finding

What is stored already stays as it was read: without evidence, under version 1 of the rules.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_RANGES = ("introduced_after", "opened_after", "start_after", "end_after")
_COMMITS = ("start_sha", "end_sha")


def upgrade() -> None:
    op.add_column("framework_scans", sa.Column("evidence", sa.LargeBinary()))
    op.add_column("scans", sa.Column("rules", sa.Integer(), nullable=False, server_default="1"))
    for table in ("findings", "spans"):
        op.add_column(table, sa.Column("suppressed_by", sa.String(16), nullable=False, server_default=""))
        op.execute(f"UPDATE {table} SET suppressed_by = 'inline' WHERE status = 'suppressed'")
    for name in _RANGES:
        op.add_column("spans", sa.Column(name, sa.Integer()))
    for name in _COMMITS:
        op.add_column("spans", sa.Column(name, sa.String(64)))


def downgrade() -> None:
    for name in (*_RANGES, *_COMMITS):
        op.drop_column("spans", name)
    for table in ("findings", "spans"):
        op.drop_column(table, "suppressed_by")
    op.drop_column("scans", "rules")
    op.drop_column("framework_scans", "evidence")
