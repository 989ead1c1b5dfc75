"""Scans and the lifecycles of findings.

Findings are stored once for each scan key; a commit's scan points at the stored framework scans, so the history grows
with the changes and not with commits times findings.
"""

import sqlalchemy as sa

from resources.history.schema.column_types import PackedEvidence, UTCDateTime
from resources.history.schema.metadata import commit_key, metadata

framework_scans = sa.Table(
    "framework_scans",
    metadata,
    sa.Column("scan_key", sa.String(64), primary_key=True),
    sa.Column("framework", sa.String(64), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("unreadable", sa.JSON, nullable=False),
    sa.Column("evidence", PackedEvidence),
)

findings = sa.Table(
    "findings",
    metadata,
    sa.Column("scan_key", sa.ForeignKey("framework_scans.scan_key", ondelete="CASCADE"), primary_key=True),
    sa.Column("fingerprint", sa.String(32), primary_key=True),
    sa.Column("framework", sa.String(64), nullable=False),
    sa.Column("check_id", sa.Text, nullable=False),
    sa.Column("check_name", sa.Text, nullable=False),
    sa.Column("file_path", sa.Text, nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("line_start", sa.Integer, nullable=False),
    sa.Column("line_end", sa.Integer, nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("suppression_reason", sa.Text, nullable=False),
    sa.Column("suppressed_by", sa.String(16), nullable=False, server_default=""),
    sa.Column("guideline", sa.Text, nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
)

scans = sa.Table(
    "scans",
    metadata,
    *commit_key(),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("scanner_version", sa.String(64), nullable=False),
    sa.Column("config_digest", sa.String(64), nullable=False),
    sa.Column("started_at", UTCDateTime, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("warnings", sa.JSON, nullable=False),
    sa.Column("rules", sa.Integer, nullable=False, server_default="1"),
)

scan_parts = sa.Table(
    "scan_parts",
    metadata,
    *commit_key(),
    sa.Column("framework", sa.String(64), primary_key=True),
    sa.Column("scan_key", sa.ForeignKey("framework_scans.scan_key"), nullable=False, index=True),
    sa.Column("reused", sa.Boolean, nullable=False),
)

cross_scan_parts = sa.Table(
    "cross_scan_parts",
    metadata,
    *commit_key(),
    sa.Column("tree_of", sa.String(64), primary_key=True),
    sa.Column("framework", sa.String(64), primary_key=True),
    sa.Column("scan_key", sa.ForeignKey("framework_scans.scan_key"), nullable=False, index=True),
)
"""Scans of the files of ``tree_of`` under the scanner and configuration of ``sha``; see infraaudit_domain/lifecycles/causes.py."""

line_commits = sa.Table(
    "line_commits",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("branch", sa.String(255), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("sha", sa.String(64), nullable=False),
    sa.Column("followed", sa.Boolean, nullable=False),
    sa.Column("changes", sa.Integer, nullable=False, server_default="0"),
    sa.Index("ix_line_commits_project_sha", "project", "sha"),
    sa.Index("ix_line_commits_project_branch_followed", "project", "branch", "followed", "position"),
)
"""The first-parent history of a branch; ``followed`` where the spans include the commit's scan, and how often what is to
be followed of it has changed."""

_OUT_OF_SIGHT = sa.text("end_after IS NOT NULL AND (end_position IS NULL OR end_after < end_position - 1)")
"""Spans that stood at commits whose scans did not read where they are: few of many."""

spans = sa.Table(
    "spans",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("branch", sa.String(255), primary_key=True),
    sa.Column("start_position", sa.Integer, primary_key=True),
    sa.Column("fingerprint", sa.String(32), primary_key=True),
    sa.Column("life", sa.String(32), nullable=False),
    sa.Column("introduced_position", sa.Integer, nullable=False),
    sa.Column("introduced_after", sa.Integer),
    sa.Column("introduced_sha", sa.String(64)),
    sa.Column("opened_position", sa.Integer, nullable=False),
    sa.Column("opened_after", sa.Integer),
    sa.Column("opened_sha", sa.String(64)),
    sa.Column("start_after", sa.Integer),
    sa.Column("start_sha", sa.String(64)),
    sa.Column("started_as", sa.String(16), nullable=False),
    sa.Column("start_cause", sa.String(16), nullable=False),
    sa.Column("end_position", sa.Integer),
    sa.Column("end_after", sa.Integer),
    sa.Column("end_sha", sa.String(64)),
    sa.Column("ended_as", sa.String(16)),
    sa.Column("end_cause", sa.String(16)),
    *(column._copy() for column in findings.columns if column.name not in ("scan_key", "fingerprint")),
    sa.Index("ix_spans_project_branch_end_position", "project", "branch", "end_position", "start_position"),
    sa.Index("ix_spans_project_branch_fingerprint", "project", "branch", "fingerprint"),
    sa.Index("ix_spans_project_branch_life", "project", "branch", "life"),
    sa.Index(
        "ix_spans_project_branch_end_after",
        "project",
        "branch",
        "end_after",
        sqlite_where=_OUT_OF_SIGHT,
        postgresql_where=_OUT_OF_SIGHT,
    ),
    sa.Index(
        "ix_spans_by_rules",
        "project",
        "branch",
        "life",
        sqlite_where=sa.text("start_cause <> 'code'"),
        postgresql_where=sa.text("start_cause <> 'code'"),
    ),
)
"""Lifecycles of findings along a branch; see infraaudit_domain/lifecycles/lifecycle.py. Derived from the scans.

An event lies after ``…_after``, the last position that is known to be otherwise (-1: before the root; null: none is),
and not later than its position. ``…_sha`` is the commit whose doing it was: the one there, or one of a branch that it
merged; null where that is not known.
"""

merged_commits = sa.Table(
    "merged_commits",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("branch", sa.String(255), primary_key=True),
    sa.Column("sha", sa.String(64), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
)
"""Commits beside a line that were scanned, each with the position of the merge that brought it to the line."""

trusted_configurations = sa.Table(
    "trusted_configurations",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("sha", sa.String(64), nullable=False),
    sa.Column("configuration", sa.JSON, nullable=False),
    sa.Column("recorded_at", UTCDateTime, nullable=False),
)
"""What the Checkov configuration of a project hid when the project was first scanned; written once."""

severities = sa.Table(
    "severities",
    metadata,
    sa.Column("check_id", sa.String(255), primary_key=True),
    sa.Column("severity", sa.String(16), nullable=False),
)
"""The file of severities as it was last read; the findings and spans are rated by it."""
