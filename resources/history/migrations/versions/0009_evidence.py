"""evidence of scans, ranges of events, and what of a commit suppresses a finding

What is stored already stays as it was read: without evidence, under version 1 of the rules. The lifecycles are
followed anew, so that their events get ranges and the commits of merged branches.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_RANGES = ("introduced_after", "opened_after", "start_after", "end_after")
_COMMITS = ("introduced_sha", "opened_sha", "start_sha", "end_sha")


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
    op.create_table(
        "merged_commits",
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("branch", sa.String(255), nullable=False),
        sa.Column("sha", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project", "branch", "sha", name=op.f("pk_merged_commits")),
    )
    out_of_sight = sa.text("end_after IS NOT NULL AND (end_position IS NULL OR end_after < end_position - 1)")
    op.create_index(
        op.f("ix_spans_project_branch_end_after"),
        "spans",
        ["project", "branch", "end_after"],
        sqlite_where=out_of_sight,
        postgresql_where=out_of_sight,
    )
    op.execute(sa.text("UPDATE line_commits SET followed = :no").bindparams(no=False))


def downgrade() -> None:
    op.drop_table("merged_commits")
    op.drop_index(op.f("ix_spans_project_branch_end_after"), "spans")
    for name in (*_RANGES, *_COMMITS):
        op.drop_column("spans", name)
    for table in ("findings", "spans"):
        op.drop_column(table, "suppressed_by")
    op.drop_column("scans", "rules")
    op.drop_column("framework_scans", "evidence")
