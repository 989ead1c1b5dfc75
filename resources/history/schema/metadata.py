"""Shared by every table: names of constraints, and the key of a commit."""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def commit_key() -> tuple[sa.Column, sa.Column]:
    """The columns that name a commit."""
    return (
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("sha", sa.String(64), primary_key=True),
    )
