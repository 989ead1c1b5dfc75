"""What people did and decided. The database refuses to change a row here, and to delete one that retention did not name.

A trigger does that in both databases (migration 0018): a row goes only where ``audit_retention``, whose rows nothing
deletes, holds a moment after it.
"""

import sqlalchemy as sa

from resources.history.schema.column_types import UTCDateTime
from resources.history.schema.metadata import metadata

triage_events = sa.Table(
    "triage_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("sha", sa.String(64), nullable=False),
    sa.Column("check_id", sa.Text, nullable=False),
    sa.Column("file_path", sa.Text, nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("expires", sa.Date, nullable=False),
    sa.Column("decided_by", sa.String(255), nullable=False),
    sa.Column("at", UTCDateTime, nullable=False),
    sa.Column("imported_by", sa.String(255), nullable=False),
    sa.Column("imported_at", UTCDateTime),
    sa.Column("via", sa.String(16), nullable=False),
    sa.Column("address", sa.String(255), nullable=False),
    sa.Index("ix_triage_events_project_fingerprint", "project", "fingerprint"),
)
"""What somebody decided of a finding as it was seen in the commit ``sha``; no decision is ever deleted."""

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("at", UTCDateTime, nullable=False),
    sa.Column("actor", sa.String(255), nullable=False),
    sa.Column("via", sa.String(16), nullable=False),
    sa.Column("address", sa.String(255), nullable=False),
    sa.Column("act", sa.String(32), nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Index("ix_audit_log_project_at", "project", "at"),
)
"""Who did what, from where; ``project`` is empty for what concerns the installation."""

audit_retention = sa.Table(
    "audit_retention",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("before", UTCDateTime, nullable=False),
    sa.Column("pruned_at", UTCDateTime, nullable=False),
    sa.Column("pruned_by", sa.String(255), nullable=False),
)
"""The moments up to which rows of the audit log may go, and who said so."""
