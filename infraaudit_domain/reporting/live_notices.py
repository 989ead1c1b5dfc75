"""Notices of what waits to be deployed, and of what is live and would not be let through today.

Deliberately absent: what became of a deployment (notices.py).
"""

from infraaudit_domain.delivery.deployments import Deployment
from infraaudit_domain.reporting.notices import NamedCommit, Notice, text_of


def waiting_key(done: Deployment) -> str:
    """The key of the notice that a commit waits for approvals."""
    return f"waiting:{done.project}:{done.environment}:{done.sha}"


def waits(commit: NamedCommit, done: Deployment, link: str) -> Notice:
    """A commit waits for approvals; reported once for each environment."""
    return Notice(
        key=waiting_key(done),
        project=commit.project,
        title=f"{commit.project} in {done.environment}: {commit.short} waits for approval",
        body=text_of(commit, done.reason, link=link),
    )
