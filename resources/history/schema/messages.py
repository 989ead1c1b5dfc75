"""Incoming and outgoing messages: pushes, events of Git, notices, statuses for forges."""

import sqlalchemy as sa

from resources.history.schema.column_types import UTCDateTime
from resources.history.schema.metadata import metadata

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("forge", sa.String(16), nullable=False),
    sa.Column("branch", sa.Text, nullable=False),
    sa.Column("before", sa.String(64), nullable=False),
    sa.Column("after", sa.String(64), nullable=False),
    sa.Column("received_at", UTCDateTime, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("done_at", UTCDateTime),
)

git_events = sa.Table(
    "git_events",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("branch", sa.String(255), primary_key=True),
    sa.Column("before", sa.String(1000), primary_key=True),
    sa.Column("after", sa.String(64), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("seen_at", UTCDateTime, nullable=False),
    sa.Index("ix_git_events_project_seen_at", "project", "seen_at"),
)

notices = sa.Table(
    "notices",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("urgency", sa.String(16), nullable=False),
    sa.Column("created_at", UTCDateTime, nullable=False, index=True),
    sa.Column("due_at", UTCDateTime, nullable=False),
    sa.Column("sent_at", UTCDateTime, index=True),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("last_error", sa.Text, nullable=False, default=""),
    sa.Column("accepted_by", sa.JSON, nullable=False),
    sa.Column("owners", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("is_held", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("undelivered_at", UTCDateTime),
)
"""The outbox: ``due_at`` is when a notice may be taken (again), ``accepted_by`` the addresses that have accepted it.

Held is what only waits to be sent with others; undelivered, what nobody was configured to receive.
"""

pruned_messages = sa.Table(
    "pruned_messages",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)
"""How many deliveries and notices retention has deleted: counters of them never go back."""

commit_statuses = sa.Table(
    "commit_statuses",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("sha", sa.String(64), primary_key=True),
    sa.Column("context", sa.String(255), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("changed_at", UTCDateTime, nullable=False),
    sa.Column("due_at", UTCDateTime),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("sent_state", sa.String(16), nullable=False),
    sa.Column("sent_words", sa.Text, nullable=False),
    sa.Column("last_error", sa.Text, nullable=False),
    sa.Index("ix_commit_statuses_due_at", "due_at"),
)
"""What a forge is to show of a commit, and what it was last sent; ``due_at`` is NULL where the two are the same."""

forge_faults = sa.Table(
    "forge_faults",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("fault", sa.Text, nullable=False),
    sa.Column("since", UTCDateTime, nullable=False),
    sa.Column("until", UTCDateTime, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
)
"""Why a project's forge takes nothing, and until when it is not asked again."""

change_requests = sa.Table(
    "change_requests",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("author", sa.String(255), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("head", sa.String(64), nullable=False),
    sa.Column("source_repository", sa.String(255), nullable=False),
    sa.Column("source_branch", sa.String(255), nullable=False),
    sa.Column("target_branch", sa.String(255), nullable=False),
    sa.Column("is_fork", sa.Boolean, nullable=False),
    sa.Column("changed_at", UTCDateTime, nullable=False),
    sa.Column("allowed_head", sa.String(64), nullable=False),
    sa.Column("allowed_by", sa.String(255), nullable=False),
    sa.Column("started_head", sa.String(64), nullable=False),
    sa.Column("fault", sa.Text, nullable=False),
    sa.Column("judged_head", sa.String(64), nullable=False),
    sa.Column("judged_target", sa.String(255), nullable=False),
    sa.Column("base", sa.String(64), nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("new", sa.Integer),
    sa.Column("fixed", sa.Integer),
    sa.Column("not_live", sa.Integer),
)
"""Pull and merge requests as their forge last said of them; which head was let in and started, and what was found of it.

``new`` and ``fixed`` are against ``base``, ``not_live`` against what is live; NULL is not known.
"""

request_comments = sa.Table(
    "request_comments",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("mark", sa.String(64), nullable=False),
    sa.Column("comment_id", sa.String(64), nullable=False),
    sa.Column("is_tried", sa.Boolean, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("changed_at", UTCDateTime, nullable=False),
    sa.Column("due_at", UTCDateTime),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("sent_digest", sa.String(64), nullable=False),
    sa.Column("last_error", sa.Text, nullable=False),
    sa.Index("ix_request_comments_due_at", "due_at"),
)
"""The comment of each request: what it is to say, and which one of the forge's it is.

``mark`` is in the comment and nobody else knows it before: by it the comment is found where we died before ``comment_id``
was stored, which ``is_tried`` without one says.
"""
