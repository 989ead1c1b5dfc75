"""when a notice is due and who has it, and which commits a deployment brought"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.add_column(sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("accepted_by", sa.JSON(), nullable=True))
        batch_op.create_index(batch_op.f("ix_notices_created_at"), ["created_at"], unique=False)
    op.execute("UPDATE notices SET due_at = created_at, accepted_by = '[]'")
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.alter_column("due_at", existing_type=sa.DateTime(timezone=True), nullable=False)
        batch_op.alter_column("accepted_by", existing_type=sa.JSON(), nullable=False)
    op.create_table(
        "deployed_commits",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("environment", sa.String(length=64), nullable=False),
        sa.Column("sha", sa.String(length=64), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deployed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deployed_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("project", "environment", "sha", name=op.f("pk_deployed_commits")),
    )
    with op.batch_alter_table("deployed_commits", schema=None) as batch_op:
        batch_op.create_index(
            "ix_deployed_commits_project_environment_deployed_at",
            ["project", "environment", "deployed_at"],
            unique=False,
        )
    # What older deployments brought beside their own commit was not recorded.
    op.execute(
        "INSERT INTO deployed_commits (project, environment, sha, committed_at, deployed_at, deployed_by) "
        "SELECT d.project, d.environment, d.sha, c.committed_at, MIN(d.finished_at), d.sha FROM deployments d "
        "JOIN commits c ON c.project = d.project AND c.sha = d.sha WHERE d.outcome = 'deployed' "
        "GROUP BY d.project, d.environment, d.sha, c.committed_at"
    )


def downgrade() -> None:
    op.drop_table("deployed_commits")
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notices_created_at"))
        batch_op.drop_column("accepted_by")
        batch_op.drop_column("due_at")
