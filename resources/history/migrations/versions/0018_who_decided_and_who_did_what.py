"""what people decide of findings, and who did what: rows that the database lets nobody change"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_KEPT = ("triage_events", "audit_retention")
_LOG = "audit_log"
_TABLES = (*_KEPT, _LOG)


def upgrade() -> None:
    op.create_table(
        "triage_events",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("sha", sa.String(64), nullable=False),
        sa.Column("check_id", sa.Text(), nullable=False),
        sa.Column("file_path", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("expires", sa.Date(), nullable=False),
        sa.Column("decided_by", sa.String(255), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.String(255), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("via", sa.String(16), nullable=False),
        sa.Column("address", sa.String(255), nullable=False),
    )
    op.create_index("ix_triage_events_project_fingerprint", "triage_events", ["project", "fingerprint"])
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("via", sa.String(16), nullable=False),
        sa.Column("address", sa.String(255), nullable=False),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
    )
    op.create_index("ix_audit_log_project_at", "audit_log", ["project", "at"])
    op.create_table(
        "audit_retention",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pruned_by", sa.String(255), nullable=False),
    )
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for name in ("infraaudit_keep", "infraaudit_keep_log"):
            op.execute(f"DROP FUNCTION {name}()")


def _sqlite(table: str, act: str, when: str = "") -> str:
    said = f"{table} is append-only"
    return f"CREATE TRIGGER {table}_no_{act} BEFORE {act} ON {table} {when} BEGIN SELECT RAISE(ABORT, '{said}'); END"


_SQLITE = (
    *(_sqlite(table, "UPDATE") for table in _TABLES),
    # INSERT OR REPLACE deletes the row before without its trigger.
    *(_sqlite(table, "INSERT", f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)") for table in _TABLES),
    *(_sqlite(table, "DELETE") for table in _KEPT),
    _sqlite(_LOG, "DELETE", 'WHEN NOT EXISTS (SELECT 1 FROM audit_retention WHERE "before" > OLD.at)'),
)


def _postgresql(table: str, name: str, act: str, each: str, function: str) -> str:
    return f"CREATE TRIGGER {table}_{name} BEFORE {act} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}()"


_POSTGRESQL = (
    """CREATE FUNCTION infraaudit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$""",
    """CREATE FUNCTION infraaudit_keep_log() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT 1 FROM audit_retention WHERE "before" > OLD.at) THEN RETURN OLD; END IF;
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END $$""",
    *(_postgresql(table, "no_update", "UPDATE", "ROW", "infraaudit_keep") for table in _TABLES),
    *(_postgresql(table, "no_truncate", "TRUNCATE", "STATEMENT", "infraaudit_keep") for table in _TABLES),
    *(_postgresql(table, "no_delete", "DELETE", "ROW", "infraaudit_keep") for table in _KEPT),
    _postgresql(_LOG, "no_delete", "DELETE", "ROW", "infraaudit_keep_log"),
)
