"""the further images of commits of projects that have several"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("images", sa.Column("name", sa.String(64), nullable=False, server_default=""))
    op.create_table(
        "further_images",
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("sha", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("image_id", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("build_seconds", sa.Float, nullable=False),
        sa.Column("inputs_digest", sa.String(64), nullable=False),
        sa.Column("digest", sa.Text),
        sa.Column("reused_from", sa.String(64)),
        sa.PrimaryKeyConstraint("project", "sha", "name", name="pk_further_images"),
    )
    op.create_index("ix_further_images_project_inputs_digest", "further_images", ["project", "name", "inputs_digest"])


def downgrade() -> None:
    op.drop_table("further_images")
    with op.batch_alter_table("images") as table:
        table.drop_column("name")
