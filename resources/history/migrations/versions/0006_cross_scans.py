"""scans of one commit's files under the circumstances of another"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "cross_scan_parts",
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("sha", sa.String(64), nullable=False),
        sa.Column("tree_of", sa.String(64), nullable=False),
        sa.Column("framework", sa.String(64), nullable=False),
        sa.Column(
            "scan_key",
            sa.String(64),
            sa.ForeignKey("framework_scans.scan_key", name=op.f("fk_cross_scan_parts_scan_key")),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("project", "sha", "tree_of", "framework", name=op.f("pk_cross_scan_parts")),
    )
    op.create_index(op.f("ix_cross_scan_parts_scan_key"), "cross_scan_parts", ["scan_key"])
