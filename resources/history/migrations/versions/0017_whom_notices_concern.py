"""whom a notice concerns, and which nobody was to receive or wait for a digest"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("notices", sa.Column("owners", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("notices", sa.Column("is_held", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("notices", sa.Column("undelivered_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("notices") as table:
        for name in ("undelivered_at", "is_held", "owners"):
            table.drop_column(name)
